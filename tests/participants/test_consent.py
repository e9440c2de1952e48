"""Consent: storage and research apart, every choice kept, and a withdrawal that stops storing."""

import asyncio
import datetime
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.content.release import ServedRelease
from api.core.config import Settings
from api.core.db import Database
from api.http.context import AppContext
from api.journal.models import ExerciseSession
from api.participants import consents, devices, service
from api.participants.models import ConsentRecord, RecordedChange
from api.participants.schemas import ConsentChoice
from api.participants.service import Locking
from api.participants.tokens import DeviceToken, read_token
from api.privacy import service as privacy
from tests.core.stored import rows
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device, Json

NO = ConsentChoice(version=CONSENT_VERSION, storage=False, research=False)
LATER = datetime.datetime(2026, 11, 22, 13, 0, tzinfo=datetime.UTC)


def choice(**changes: Any) -> Json:
    return {"version": CONSENT_VERSION, "storage": True, "research": False} | changes


def withdraw(device: Device) -> None:
    assert device.put("/v1/me/consent", choice(storage=False)).status_code == 200


def test_research_is_agreed_to_and_withdrawn_apart_from_storage(
    device: Device, clock: FakeClock
) -> None:
    clock.advance(days=1)
    agreed = device.put("/v1/me/consent", choice(research=True))
    assert agreed.status_code == 200
    assert agreed.json()["current"] == {
        "version": CONSENT_VERSION,
        "storage": True,
        "research": True,
        "given_at": "2026-11-23T12:00:00Z",
    }
    assert device.get("/v1/me").json()["consent"] == agreed.json()["current"]
    assert device.post_session(device.session()).status_code == 201


def test_every_choice_stays_newest_first_even_those_of_one_second(device: Device) -> None:
    for storage, research in ((True, True), (False, True), (True, False), (False, False)):
        device.put("/v1/me/consent", choice(storage=storage, research=research))
    answer = device.get("/v1/me/consent").json()
    assert [(entry["storage"], entry["research"]) for entry in answer["history"]] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
        (True, False),
    ]
    assert answer["current"] == answer["history"][0]


def test_the_same_again_adds_nothing(device: Device, clock: FakeClock, database_url: str) -> None:
    first = device.get("/v1/me/consent").json()
    clock.advance(days=1)
    assert device.put("/v1/me/consent", choice()).json() == first
    assert len(rows(database_url, ConsentRecord)) == 1
    assert rows(database_url, RecordedChange) == []


def test_a_choice_is_a_change_that_other_devices_receive(device: Device, database_url: str) -> None:
    device.put("/v1/me/consent", choice(research=True))
    (change,) = rows(database_url, RecordedChange)
    assert (change["number"], change["kind"], change["deleted"]) == (1, "consent", False)
    assert str(change["record_id"]) == device.participant_id


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"version": "1999-01-01"}, "/version", "unknown_consent_version"),
        ({"version": None}, "/version", "string_type"),
        ({"storage": "false"}, "/storage", "bool_type"),
        ({"storage": 0}, "/storage", "bool_type"),
        ({"storage": None}, "/storage", "bool_type"),
        ({"research": "no"}, "/research", "bool_type"),
        ({"marketing": True}, "/marketing", "unknown_field"),
    ],
)
def test_a_bad_choice_is_named_and_changes_nothing(
    device: Device, database_url: str, change: Json, pointer: str, code: str
) -> None:
    response = device.put("/v1/me/consent", choice(**change))
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert len(rows(database_url, ConsentRecord)) == 1


def test_an_unknown_version_is_refused_with_the_known_ones(device: Device) -> None:
    problem = device.put("/v1/me/consent", choice(version="1999-01-01")).json()
    for text in device.client.get("/v1/consents").json()["items"]:
        assert text["version"] in problem["errors"][0]["message"]


@pytest.mark.parametrize("missing", ["version", "storage", "research"])
def test_nothing_is_agreed_to_by_silence(device: Device, missing: str) -> None:
    body = {name: value for name, value in choice().items() if name != missing}
    response = device.put("/v1/me/consent", body)
    assert response.json()["errors"][0]["code"] == "missing_field"


def storing_calls(device: Device) -> list[tuple[str, str, Json | None]]:
    clearance = {"id": str(uuid.uuid4()), "cleared_at": device.now.isoformat()}
    return [
        ("POST", "/v1/sessions", device.session()),
        ("POST", "/v1/symptom-reports", device.report()),
        ("POST", "/v1/me/clearances", clearance),
        ("POST", "/v1/batches", {"device_time": device.now.isoformat(), "sessions": [{}]}),
        ("PATCH", "/v1/me", {"language": "es"}),
        ("PUT", "/v1/me/schedule", device.schedule()),
        ("POST", "/v1/me/schedule/feed", None),
    ]


def test_without_consent_to_storage_nothing_new_is_stored(
    device: Device, client: TestClient, database_url: str
) -> None:
    withdraw(device)
    before = device.get("/v1/me/export").json()
    for method, path, body in storing_calls(device):
        response = client.request(method, path, json=body, headers=device.headers)
        assert response.status_code == 403, path
        problem = response.json()
        assert problem["code"] == "storage_consent_withdrawn", path
        for word in ("Reading", "export", "erasure", "evaluations", "PUT /v1/me/consent"):
            assert word in problem["detail"]
    after = device.get("/v1/me/export").json()
    assert after == before | {"exported_at": after["exported_at"]}
    assert len(rows(database_url, RecordedChange)) == 1


def test_the_rest_still_works_without_consent_to_storage(client: TestClient) -> None:
    device = Device(client)
    code = device.enrol()["recovery_code"]
    session, report = device.session(), device.report({"radiating_pain": "left"})
    device.post_session(session)
    device.post_report(report)
    device.put("/v1/me/schedule", device.schedule())
    feed = device.post("/v1/me/schedule/feed").json()["path"]
    withdraw(device)
    for path in (
        "/v1/me",
        "/v1/me/consent",
        "/v1/me/progress",
        "/v1/me/schedule",
        "/v1/me/export",
        "/v1/sessions",
        f"/v1/sessions/{session['id']}",
        f"/v1/symptom-reports/{report['id']}",
        "/v1/devices",
    ):
        assert device.get(path).status_code == 200, path
    assert client.get(feed).status_code == 200
    evaluated = client.post("/v1/triage/evaluations", json={"answers": {}}, headers=device.headers)
    assert evaluated.status_code == 200
    plan = {"minutes": 15, "equipment": [], "positions": ["seated"]}
    assert client.post("/v1/plans", json=plan, headers=device.headers).status_code == 200
    assert client.post("/v1/devices", json={"recovery_code": code}).status_code == 201
    assert device.post("/v1/me/recovery-code").status_code == 201
    rotated = device.post("/v1/devices/current/rotate")
    assert rotated.status_code == 200
    device.token = rotated.json()["device_token"]
    assert device.get("/v1/changes").status_code == 200
    assert device.delete(f"/v1/sessions/{session['id']}").status_code == 204
    assert device.delete("/v1/me/schedule/feed").status_code == 204
    assert device.delete("/v1/me/schedule").status_code == 204
    assert device.delete("/v1/me").status_code == 200
    assert device.get("/v1/me").status_code == 410


def test_consent_can_be_given_again_and_what_waited_is_then_stored(device: Device) -> None:
    session = device.session()
    withdraw(device)
    assert device.post_session(session).status_code == 403
    assert device.put("/v1/me/consent", choice()).status_code == 200
    assert device.post_session(session).status_code == 201


def test_a_withdrawal_affects_only_its_participant(client: TestClient) -> None:
    one, other = Device(client), Device(client)
    one.enrol()
    other.enrol()
    withdraw(one)
    assert other.post_session(other.session()).status_code == 201


def test_a_withdrawal_waits_for_the_upload_before_it(device: Device, database_url: str) -> None:
    token = read_token(device.token)
    assert token is not None

    async def work() -> bool:
        database = Database(Settings(database_url=database_url))

        async def withdraw_now() -> None:
            async with database.write() as db:
                await service.verify(db, token, Locking.WRITING)
                await consents.give(db, token.participant_id, NO, LATER)

        try:
            async with database.write() as db:
                assert (await service.verify(db, token, Locking.WRITING)).storage_consent
                withdrawal = asyncio.create_task(withdraw_now())
                await asyncio.wait({withdrawal}, timeout=0.5)
                overtook = withdrawal.done()
            await withdrawal
        finally:
            await database.close()
        return overtook

    assert asyncio.run(work()) is False
    assert device.post_session(device.session()).status_code == 403


async def take_consent_back(db: AsyncSession, token: DeviceToken, _: Catalogue) -> None:
    await consents.give(db, token.participant_id, NO, LATER)


async def revoke(db: AsyncSession, token: DeviceToken, _: Catalogue) -> None:
    await devices.revoke_device(db, token.participant_id, token.device_id, FakeClock())


async def erase(db: AsyncSession, token: DeviceToken, catalogue: Catalogue) -> None:
    await privacy.erase(db, token.participant_id, catalogue, "en", FakeClock())


@pytest.mark.parametrize(("end", "status"), [(take_consent_back, 403), (revoke, 401), (erase, 410)])
def test_an_upload_that_waited_for_an_end_is_refused(
    end: Callable[..., Awaitable[None]],
    status: int,
    client: TestClient,
    device: Device,
    database_url: str,
) -> None:
    token = read_token(device.token)
    assert token is not None
    context: AppContext = client.app.state.context  # type: ignore[attr-defined]
    catalogue = context.part(ServedRelease).now.catalogue

    async def work() -> int:
        database = Database(Settings(database_url=database_url))
        try:
            async with database.write() as db:
                await service.verify(db, token, Locking.ERASING)
                posting = asyncio.to_thread(device.post_session, device.session())
                upload = asyncio.create_task(posting)
                await asyncio.wait({upload}, timeout=0.5)
                assert not upload.done()
                await end(db, token, catalogue)
            return (await upload).status_code
        finally:
            await database.close()

    assert asyncio.run(work()) == status
    assert rows(database_url, ExerciseSession) == []
