"""What a person is told of their own part in publications."""

import datetime
from pathlib import Path

import pytest

from api.aggregates.periods import Period
from tests.aggregates.published import DAY, real_keys
from tests.aggregates.test_publishing import NoNoise, publish, settle
from tests.aggregates.world import MONDAY, STANDARD, at
from tests.conftest import AppMaker
from tests.support.clock import FakeClock
from tests.support.phone import CONSENT_VERSION, Json, Phone

LEDGER = "/v1/me/privacy-ledger"
FLAG = {"saddle_numbness": "yes"}
WEEK = STANDARD.period("week")
CYCLE = STANDARD.period("cycle")


@pytest.fixture
def life(database_url: str, make_client: AppMaker, clock: FakeClock) -> Phone:
    """Somebody who agrees to research on the first day of an installation."""
    settle(database_url)
    clock.instant = at(MONDAY)
    phone = Phone(make_client(database_url=database_url))
    phone.now = at(MONDAY, 7)
    phone.enrol(consent={"version": CONSENT_VERSION, "storage": True, "research": True})
    return phone


def practise(phone: Phone, clock: FakeClock, day: datetime.date) -> str:
    phone.now = clock.instant = at(day)
    session = phone.session()
    assert phone.post_session(session).status_code == 201
    return str(session["id"])


def close(url: str, folder: Path, clock: FakeClock, day: datetime.date) -> None:
    clock.instant = at(day)
    publish(url, folder, day, noise=NoNoise(), keys=real_keys(url))
    clock.advance(days=1)


def ledger(phone: Phone, **params: str) -> Json:
    response = phone.get(LEDGER, **params)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def entered(phone: Phone) -> dict[str, str]:
    return {entry["publication_id"]: entry["entered"] for entry in ledger(phone)["entries"]}


def test_somebody_who_is_in_nothing_is_told_so(life: Phone) -> None:
    told = ledger(life)
    assert told["entries"] == []
    assert told["text"] == "No publication holds anything of yours."
    assert told["cumulative"] == {
        "rho": 0.0,
        "epsilon": 0.0,
        "delta": 1e-6,
        "best_guess_percent": 50.0,
    }


def test_every_publication_that_holds_a_session_is_listed_with_what_it_costs(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    practise(life, clock, MONDAY + 15 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 42 * DAY)
    told = ledger(life, lang="es")
    names = {entry["publication_id"]: entry["entered"] for entry in told["entries"]}
    assert names == {
        "week-2026-09-21": "yes",
        "week-2026-09-07": "yes",
        "cycle-2026-09-07": "yes",
    }
    assert told["cumulative"]["rho"] == pytest.approx(2 * WEEK.rho + CYCLE.rho)
    assert 50 < told["cumulative"]["best_guess_percent"] < 69.2
    assert "ruido" in told["text"]


def test_it_agrees_with_what_the_publications_counted(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    """What came late counts where it arrived, what is too late or abandoned nowhere."""
    practise(life, clock, MONDAY)
    life.now = at(MONDAY + 2 * DAY)
    clock.instant = at(MONDAY + 30 * DAY)
    late = life.session(local_date=str(MONDAY + 1 * DAY), started_at=str(at(MONDAY + 1 * DAY)))
    late |= {"ended_at": str(at(MONDAY + 1 * DAY, 13))}
    assert life.post_session(late).status_code in {201, 422}
    life.now = clock.instant = at(MONDAY + 14 * DAY)
    assert life.post_session(life.session(status="abandoned")).status_code == 201
    close(database_url, tmp_path, clock, MONDAY + 56 * DAY)
    assert entered(life)["week-2026-09-07"] == "yes"
    assert "week-2026-09-21" not in entered(life)


def test_a_red_flag_enters_the_publication_that_counts_red_flags(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    assert life.post_report(life.report(FLAG)).json()["decision"]["level"] == "emergency"
    close(database_url, tmp_path, clock, MONDAY + 42 * DAY)
    assert entered(life) == {"cycle-2026-09-07": "yes"}


def test_consent_counts_as_it_stood_when_the_period_was_closed(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    practise(life, clock, MONDAY + 7 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 21 * DAY)
    refusal = {"version": CONSENT_VERSION, "storage": True, "research": False}
    assert life.put("/v1/me/consent", refusal).status_code == 200
    close(database_url, tmp_path, clock, MONDAY + 42 * DAY)
    assert entered(life) == {"week-2026-09-07": "yes"}


def test_what_was_deleted_after_the_close_may_have_been_in_it(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    gone = practise(life, clock, MONDAY + 7 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 28 * DAY)
    assert entered(life) == {"week-2026-09-07": "yes", "week-2026-09-14": "yes"}
    assert life.delete(f"/v1/sessions/{gone}").status_code == 204
    assert entered(life) == {"week-2026-09-07": "yes", "week-2026-09-14": "possible"}


def test_what_was_deleted_before_the_close_is_in_nothing(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    gone = practise(life, clock, MONDAY)
    assert life.delete(f"/v1/sessions/{gone}").status_code == 204
    close(database_url, tmp_path, clock, MONDAY + 28 * DAY)
    assert entered(life) == {}


def test_it_tells_nobody_about_anybody_else(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    practise(life, clock, MONDAY)
    close(database_url, tmp_path, clock, MONDAY + 21 * DAY)
    other = Phone(life.client)
    other.enrol(consent={"version": CONSENT_VERSION, "storage": True, "research": True})
    assert ledger(other)["entries"] == []
    assert life.delete("/v1/me").status_code == 200
    assert life.get(LEDGER).status_code == 410


def test_years_of_weeks_are_asked_for_in_pages(
    life: Phone, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    """Databases take only so many columns in one statement."""
    practise(life, clock, MONDAY)
    practise(life, clock, MONDAY + 7 * 130 * DAY)
    close(database_url, tmp_path, clock, MONDAY + 7 * 134 * DAY)
    found = entered(life)
    assert Period(MONDAY, 7, "week").id in found
    assert Period(MONDAY + 7 * 130 * DAY, 7, "week").id in found
