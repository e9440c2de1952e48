"""`footing purge`: erases enrolments that were never used, and no others."""

import asyncio
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.core.config import Settings
from api.core.db import Database
from api.participants import models
from api.participants.models import (
    ConsentRecord,
    ErasedToken,
    Participant,
    RecoveryCodeHash,
)
from api.privacy import purge as purging
from api.privacy.purge import Purged, purge
from tests.conftest import AppMaker
from tests.core.stored import in_database, rows
from tests.support.clock import FakeClock
from tests.support.device import Device, Json
from tests.support.server import footing

Erase = Callable[..., Purged]
DAYS = 30


@pytest.fixture
def erase(database_url: str, clock: FakeClock) -> Erase:
    """Run the purge as the command does, at the time of the test's clock."""

    def run(*, dry_run: bool = False) -> Purged:
        async def work() -> Purged:
            database = Database(Settings(database_url=database_url))
            try:
                unused_for = datetime.timedelta(days=DAYS)
                return await purge(database, clock, unused_for, dry_run=dry_run)
            finally:
                await database.close()

        return asyncio.run(work())

    return run


def enrolled(client: TestClient) -> tuple[Device, Json]:
    device = Device(client)
    return device, device.enrol()


def people(database_url: str) -> set[str]:
    return {str(row["participant_id"]) for row in rows(database_url, Participant)}


def test_an_enrolment_that_was_never_used_is_erased_whole_after_its_time(
    client: TestClient, clock: FakeClock, erase: Erase, database_url: str
) -> None:
    device, _ = enrolled(client)
    clock.advance(days=DAYS)
    assert erase() == Purged(0, 0)
    clock.advance(seconds=1)
    assert erase() == Purged(1, 0)
    for table in (Participant, models.Device, ConsentRecord, RecoveryCodeHash, ErasedToken):
        assert rows(database_url, table) == [], table.__tablename__
    # Not 410, which would make the device delete its queue.
    assert device.post_session(device.session()).status_code == 401


CALLS: dict[str, Callable[[Device, Json], object]] = {
    "reads the profile": lambda device, _: device.get("/v1/me"),
    "reads the progress": lambda device, _: device.get("/v1/me/progress"),
    "asks for a plan": lambda device, _: device.client.post(
        "/v1/plans",
        json={"minutes": 15, "equipment": [], "positions": ["seated"]},
        headers=device.headers,
    ),
    "logs a session": lambda device, _: device.post_session(device.session()),
    "changes the profile": lambda device, _: device.patch("/v1/me", {"language": "es"}),
    "changes nothing": lambda device, _: device.patch("/v1/me", {}),
    "makes a schedule": lambda device, _: device.put("/v1/me/schedule", device.schedule()),
    "rotates the token": lambda device, _: device.post("/v1/devices/current/rotate"),
    "links a second device": lambda device, answer: device.client.post(
        "/v1/devices", json={"recovery_code": answer["recovery_code"]}
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_participants_with_any_activity_are_kept(
    client: TestClient, clock: FakeClock, erase: Erase, database_url: str, call: str
) -> None:
    device, answer = enrolled(client)
    response = CALLS[call](device, answer)
    assert response.is_success  # type: ignore[attr-defined]
    clock.advance(days=1000)
    assert erase() == Purged(0, 0)
    assert people(database_url) == {device.participant_id}


def test_a_request_rejected_for_its_content_does_not_count_as_use(
    client: TestClient, clock: FakeClock, erase: Erase
) -> None:
    device, _ = enrolled(client)
    assert device.patch("/v1/me", {"language": 7}).status_code == 422
    clock.advance(days=1000)
    assert erase() == Purged(1, 0)


def test_who_has_records_stays_even_if_the_use_was_never_noted(
    client: TestClient, clock: FakeClock, erase: Erase, database_url: str
) -> None:
    device, _ = enrolled(client)
    device.patch("/v1/me", {"language": "es"})

    async def forget(db: AsyncSession) -> None:
        await db.execute(update(Participant).values(used=False))

    in_database(database_url, forget)
    clock.advance(days=1000)
    assert erase() == Purged(0, 0)
    assert device.get("/v1/me").status_code == 200


def test_it_goes_on_batch_by_batch_and_leaves_the_young(
    database_url: str,
    make_client: AppMaker,
    clock: FakeClock,
    erase: Erase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = make_client(database_url=database_url, rate_limit_enrolment="100/minute")
    monkeypatch.setattr(purging, "BATCH", 2)
    for _ in range(5):
        enrolled(client)
    clock.advance(days=DAYS + 1)
    young, _ = enrolled(client)
    assert erase(dry_run=True) == Purged(5, 0)
    assert len(people(database_url)) == 6
    assert erase() == Purged(5, 0)
    assert people(database_url) == {young.participant_id}
    assert erase() == Purged(0, 0)


def test_hashes_of_erased_tokens_go_after_their_time(
    client: TestClient, clock: FakeClock, erase: Erase, database_url: str
) -> None:
    device, _ = enrolled(client)
    device.delete("/v1/me")
    clock.advance(days=30)
    assert erase() == Purged(0, 0)
    assert device.get("/v1/me").status_code == 410
    clock.advance(seconds=1)
    assert erase(dry_run=True) == Purged(0, 1)
    assert erase() == Purged(0, 1)
    assert rows(database_url, ErasedToken) == []
    assert device.get("/v1/me").status_code == 401


def test_the_command_says_what_it_did_and_the_setting_says_when(
    client: TestClient, database_url: str, tmp_path: Path
) -> None:
    enrolled(client)
    used, _ = enrolled(client)
    used.get("/v1/me")

    async def age(db: AsyncSession) -> None:
        long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9)
        await db.execute(update(Participant).values(enrolled_at=long_ago))

    in_database(database_url, age)

    def run(*options: str, days: str) -> str:
        done = footing(
            "purge",
            *options,
            database_url=database_url,
            folder=tmp_path,
            unused_enrolment_days=days,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run(days="10").startswith("Erased 0 enrolments older than 10 days")
    assert run("--dry-run", days="8").startswith("Would erase 1 enrolments older than 8 days")
    assert len(people(database_url)) == 2
    assert run(days="8").startswith("Erased 1 enrolments older than 8 days")
    assert people(database_url) == {used.participant_id}
