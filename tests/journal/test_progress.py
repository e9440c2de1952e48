"""Progress: counted by the person's own dates, whatever the order of the uploads."""

import datetime
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.journal.progress import Practised, Score, pain_trend, streak, weeks
from tests.support.clock import FakeClock
from tests.support.phone import Phone

Json = dict[str, Any]
TODAY = datetime.date(2026, 11, 22)
DAY = datetime.timedelta(days=1)


def days_ago(*numbers: int) -> list[datetime.date]:
    return [TODAY - number * DAY for number in numbers]


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        ((), 0),
        ((0,), 1),
        ((1,), 1),
        ((2,), 0),
        ((0, 1, 2), 3),
        ((1, 2, 3), 3),
        ((0, 2, 3), 1),
        ((-1, 0, 1), 2),
    ],
)
def test_a_streak_counts_days_in_a_row_and_waits_for_today(
    ago: tuple[int, ...], expected: int
) -> None:
    assert streak(days_ago(*ago), TODAY) == expected


@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_another_active_day_never_shortens_a_streak(ago: set[int], more: int) -> None:
    assert streak(days_ago(*ago, more), TODAY) >= streak(days_ago(*ago), TODAY)


def test_a_week_runs_from_monday_and_the_running_one_by_its_days_so_far() -> None:
    wednesday = datetime.date(2026, 11, 18)
    quarter = datetime.timedelta(minutes=15)
    sessions = [
        Practised(datetime.date(2026, 11, 16), quarter),
        Practised(datetime.date(2026, 11, 17), quarter),
        Practised(datetime.date(2026, 11, 17), quarter),
        Practised(datetime.date(2026, 11, 15), quarter),
    ]
    running, last = weeks(sessions, wednesday, is_planned=lambda _: True)[:2]
    assert running.starts_on == datetime.date(2026, 11, 16)
    assert (running.sessions, running.active_days, running.minutes) == (3, 2, 45)
    assert (running.planned_days, running.adherence_percent) == (3, 66)
    assert (last.sessions, last.adherence_percent) == (1, 14)


def test_a_forgotten_stop_button_does_not_count_as_hours_of_exercise() -> None:
    forgotten = [Practised(TODAY, datetime.timedelta(hours=9))]
    assert weeks(forgotten, TODAY, is_planned=lambda _: True)[0].minutes == 120


def scores(start: datetime.date, *pains: int) -> list[Score]:
    return [Score(start + number * DAY, pain) for number, pain in enumerate(pains)]


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (5, 3, "improved"),
        (5, 4, "no_important_change"),
        (3, 2, "improved"),  # 1 point, but 33 % of 3
        (4, 6, "worse"),
        (5, 5, "no_important_change"),
        (0, 1, "no_important_change"),
        (0, 2, "worse"),
    ],
)
def test_a_change_counts_from_two_points_or_thirty_percent(
    before: int, now: int, status: str
) -> None:
    first = scores(TODAY - 30 * DAY, before, before, before)
    assert pain_trend(first, scores(TODAY - 2 * DAY, now, now), TODAY).status == status


def test_a_trend_needs_scores_of_both_times() -> None:
    first = scores(TODAY - 3 * DAY, 5, 5, 5)
    assert pain_trend(first, first, TODAY).status == "not_enough_data"
    assert pain_trend([], [], TODAY).status == "not_enough_data"


def log_days(phone: Phone, ago: list[int], **changes: Any) -> list[Json]:
    made = []
    for number in ago:
        phone.now = datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.UTC) - number * DAY
        made.append(phone.session(**changes))
    return made


def test_late_and_unordered_uploads_end_in_the_same_figures(client: TestClient) -> None:
    in_order, shuffled = Phone(client), Phone(client)
    in_order.enrol()
    shuffled.enrol()
    made = log_days(in_order, [40, 39, 12, 4, 3, 2, 1, 0])
    mixed = list(made)
    random.Random(7).shuffle(mixed)  # noqa: S311  # an order, not a secret
    for body in made:
        assert in_order.post_session(body).status_code == 201
    for body in mixed:
        assert shuffled.post_session(body).status_code == 201
    progress = in_order.get("/v1/me/progress").json()
    assert progress == shuffled.get("/v1/me/progress").json()
    assert progress["streak"] == {"days": 5, "last_active_on": "2026-11-22"}
    assert (progress["sessions_total"], progress["active_days_total"]) == (8, 8)
    assert [week["sessions"] for week in progress["weeks"]][:2] == [5, 1]
    assert len(progress["weeks"]) == 12


def test_the_persons_own_date_counts_and_not_the_servers(client: TestClient) -> None:
    """At noon UTC it is already tomorrow in Kiritimati."""
    phone = Phone(client)
    phone.enrol(time_zone="Pacific/Kiritimati")
    phone.post_session(phone.session(local_date="2026-11-23", time_zone="Pacific/Kiritimati"))
    progress = phone.get("/v1/me/progress").json()
    assert progress["today"] == "2026-11-23"
    assert progress["streak"]["days"] == 1


def test_an_unknown_zone_counts_as_utc(client: TestClient) -> None:
    phone = Phone(client)
    phone.enrol(time_zone="Mars/Olympus_Mons")
    assert phone.get("/v1/me/progress").json()["today"] == "2026-11-22"


def test_abandoned_and_replaced_sessions_do_not_count(phone: Phone) -> None:
    first = phone.session(pain_before=9)
    phone.post_session(first)
    phone.post_session(phone.session(replaces=first["id"]))
    phone.post_session(phone.session(status="abandoned"))
    progress = phone.get("/v1/me/progress").json()
    assert progress["sessions_total"] == 1
    assert progress["pain"]["baseline_tenths"] == 50


def test_pain_is_explained_in_the_language_asked_for(phone: Phone) -> None:
    for body in log_days(phone, [30, 29], pain_before=6) + log_days(phone, [1, 0], pain_before=3):
        phone.post_session(body)
    progress = phone.get("/v1/me/progress", lang="es").json()
    assert progress["pain"] | {"explanation": ""} == {
        "status": "improved",
        "baseline_tenths": 60,
        "current_tenths": 30,
        "change_tenths": -30,
        "change_percent": -50,
        "explanation": "",
    }
    assert "2 puntos de 10" in progress["pain"]["explanation"]


def test_a_hold_and_the_last_decision_are_shown(phone: Phone) -> None:
    assert phone.get("/v1/me/progress").json()["last_decision"] is None
    decision = phone.post_report(phone.report({"radiating_pain": "left"})).json()["decision"]
    progress = phone.get("/v1/me/progress").json()
    assert progress["last_decision"]["decision_id"] == decision["id"]
    assert progress["activities"]["status"] == "pause"
    assert progress["activities"]["rule_ids"] == ["P01"]
    assert progress["activities"]["text"] == decision["activities"]["text"]


def test_a_long_streak_is_counted_whole(client: TestClient, clock: FakeClock) -> None:
    phone = Phone(client)
    phone.enrol()
    for body in log_days(phone, list(range(130))):
        assert phone.post_session(body).status_code == 201
    assert phone.get("/v1/me/progress").json()["streak"]["days"] == 130
    clock.advance(days=1)
    assert phone.get("/v1/me/progress").json()["streak"]["days"] == 130
    clock.advance(days=1)
    assert phone.get("/v1/me/progress").json()["streak"]["days"] == 0


def test_a_session_that_two_phones_have_corrected_counts_once(phone: Phone) -> None:
    first = phone.session()
    corrections = [phone.session(replaces=first["id"]) for _ in range(2)]
    for body in (corrections[0], first, corrections[1]):
        phone.post_session(body)
    assert phone.get("/v1/me/progress").json()["sessions_total"] == 1
