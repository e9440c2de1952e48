"""The ledger: which publications a participant is in."""

import datetime
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from api.aggregates.ledger import Entered
from api.aggregates.ledger import entries as ledger_entries
from api.publications import cube
from api.publications.models import Publication
from api.publications.periods import Period
from api.publications.policy import PublicationPolicies
from tests.aggregates.published import DAY, real_keys
from tests.conftest import AppMaker
from tests.core.stored import in_database
from tests.publications.population import (
    KEYS,
    MONDAY,
    STANDARD,
    Person,
    at,
    extremes,
    period_of,
    random_person,
)
from tests.publications.test_publishing import NoNoise, publish, settle
from tests.support.budget import budget
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device, Json

LEDGER = "/v1/me/privacy-ledger"
FLAG = {"saddle_numbness": "yes"}
WEEK = STANDARD.period("week")
CYCLE = STANDARD.period("cycle")


@pytest.fixture
def life(database_url: str, make_client: AppMaker, clock: FakeClock) -> Device:
    """A participant who agrees to research on the first day of an installation."""
    settle(database_url)
    clock.instant = at(MONDAY)
    device = Device(make_client(database_url=database_url))
    device.now = at(MONDAY, 7)
    device.enrol(consent={"version": CONSENT_VERSION, "storage": True, "research": True})
    return device


def practise(device: Device, clock: FakeClock, day: datetime.date) -> str:
    device.now = clock.instant = at(day)
    session = device.session()
    assert device.post_session(session).status_code == 201
    return str(session["id"])


def close(url: str, folder: Path, clock: FakeClock, day: datetime.date) -> None:
    clock.instant = at(day)
    publish(url, folder, day, noise=NoNoise(), keys=real_keys(url))
    clock.advance(days=1)


def ledger(device: Device, **params: str) -> Json:
    response = device.get(LEDGER, **params)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def entered(device: Device) -> dict[str, str]:
    return {entry["publication_id"]: entry["entered"] for entry in ledger(device)["entries"]}


def test_the_ledger_of_a_participant_in_no_publication_is_empty(life: Device) -> None:
    body = ledger(life)
    assert body["entries"] == []
    assert body["text"] == "No publication holds anything of yours."
    assert body["cumulative"] == {
        "rho": 0.0,
        "epsilon": 0.0,
        "delta": 1e-6,
        "best_guess_percent": 50.0,
    }


def test_every_publication_that_holds_a_session_is_listed_with_what_it_costs(
    life: Device, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    practise(life, clock, MONDAY + 15 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 42 * DAY)
    body = ledger(life, lang="es")
    names = {entry["publication_id"]: entry["entered"] for entry in body["entries"]}
    assert names == {
        "week-2026-09-21": "yes",
        "week-2026-09-07": "yes",
        "cycle-2026-09-07": "yes",
    }
    assert body["cumulative"]["rho"] == pytest.approx(2 * WEEK.rho + CYCLE.rho)
    assert 50 < body["cumulative"]["best_guess_percent"] < 69.2
    assert "ruido" in body["text"]


def publication(period: Period) -> Json:
    return {
        "id": period.id,
        "kind": period.kind,
        "starts_on": period.starts_on,
        "ends_on": period.ends_on,
        "closed_at": at(period.closes_on(STANDARD.grace_days), 2),
        "profile": "standard",
        "plan_hash": "0" * 64,
        "rho": 0.01,
        "epsilon": 0.5,
        "delta": 1e-6,
        "released": True,
    }


@pytest.mark.proof
def test_it_agrees_with_what_the_publications_count(database_url: str) -> None:
    """Late, corrected, abandoned, refused: only who moves a figure has it in their ledger."""
    chance = random.Random(7)
    policies = PublicationPolicies(STANDARD, {})
    kinds = [period_of(STANDARD, kind.kind) for kind in STANDARD.periods]

    async def agrees(db: AsyncSession, person: Person) -> set[str]:
        alone = await db.begin_nested()
        await person.store(db)
        moved = set()
        for period in kinds:
            for table in STANDARD.period(period.kind).tables:
                if any((await cube.compute(db, period, STANDARD, table, KEYS)).values()):
                    moved.add(period.id)
        entered_in = {
            entry.publication.id: entry.entered
            for entry in await ledger_entries(db, policies, person.id)
        }
        await alone.rollback()
        assert {name for name, entered in entered_in.items() if entered is Entered.YES} == moved
        return moved

    async def work(db: AsyncSession) -> list[set[str]]:
        await db.execute(insert(Publication), [publication(period) for period in kinds])
        return [await agrees(db, person) for person in (*extremes(), *some(chance))]

    found = in_database(database_url, work)
    assert set() in found
    assert {period.id for period in kinds} in found


def some(chance: random.Random) -> Iterator[Person]:
    for _ in range(budget(quick=15, full=150)):
        yield random_person(chance)


def test_a_red_flag_enters_the_publication_that_counts_red_flags(
    life: Device, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    assert life.post_report(life.report(FLAG)).json()["decision"]["level"] == "emergency"
    close(database_url, tmp_path, clock, MONDAY + 42 * DAY)
    assert entered(life) == {"cycle-2026-09-07": "yes"}


def test_consent_counts_as_it_stood_when_the_period_was_closed(
    life: Device, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    practise(life, clock, MONDAY + 7 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 21 * DAY)
    refusal = {"version": CONSENT_VERSION, "storage": True, "research": False}
    assert life.put("/v1/me/consent", refusal).status_code == 200
    close(database_url, tmp_path, clock, MONDAY + 42 * DAY)
    assert entered(life) == {"week-2026-09-07": "yes"}


def test_what_was_deleted_after_the_close_may_have_been_in_it(
    life: Device, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    gone = practise(life, clock, MONDAY + 7 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 28 * DAY)
    assert entered(life) == {"week-2026-09-07": "yes", "week-2026-09-14": "yes"}
    assert life.delete(f"/v1/sessions/{gone}").status_code == 204
    assert entered(life) == {"week-2026-09-07": "yes", "week-2026-09-14": "possible"}


def test_what_was_deleted_before_the_close_is_in_nothing(
    life: Device, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    gone = practise(life, clock, MONDAY)
    assert life.delete(f"/v1/sessions/{gone}").status_code == 204
    close(database_url, tmp_path, clock, MONDAY + 28 * DAY)
    assert entered(life) == {}


def test_it_reveals_nothing_about_other_participants(
    life: Device, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    close(database_url, tmp_path, clock, MONDAY + 21 * DAY)
    other = Device(life.client)
    other.enrol(consent={"version": CONSENT_VERSION, "storage": True, "research": True})
    assert ledger(other)["entries"] == []
    assert life.delete("/v1/me").status_code == 200
    assert life.get(LEDGER).status_code == 410


def test_years_of_weeks_are_asked_for_in_pages(database_url: str) -> None:
    """Databases take only so many columns in one statement."""
    weeks = [Period(MONDAY + 7 * number * DAY, 7, "week") for number in range(260)]
    person = Person()
    for week in (weeks[0], weeks[130], weeks[-1]):
        person.session(week.starts_on)

    async def work(db: AsyncSession) -> list[str]:
        await db.execute(insert(Publication), [publication(week) for week in weeks])
        await person.store(db)
        found = await ledger_entries(db, PublicationPolicies(STANDARD, {}), person.id)
        return [entry.publication.id for entry in found]

    found = in_database(database_url, work)
    assert found == [weeks[-1].id, weeks[130].id, weeks[0].id]
