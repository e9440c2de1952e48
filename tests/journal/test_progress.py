"""Progress: counted by the person's own dates, regardless of the order of uploads."""

import datetime
import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.journal.progress import (
    Active,
    Practised,
    Score,
    add_up,
    pain_trend,
    practised,
    streak,
    weeks,
)
from tests.support.clock import FakeClock
from tests.support.device import Device

Json = dict[str, Any]
TODAY = datetime.date(2026, 11, 22)
DAY = datetime.timedelta(days=1)


MINUTE = datetime.timedelta(minutes=1)


def days_ago(*numbers: int) -> list[datetime.date]:
    return [TODAY - number * DAY for number in numbers]


def at(date: datetime.date, hour: int) -> datetime.datetime:
    return datetime.datetime.combine(date, datetime.time(hour, tzinfo=datetime.UTC))


def active(date: datetime.date, time_zone: str = "UTC", hour: int = 12) -> Active:
    return Active(date, time_zone, at(date, hour))


def session(
    date: datetime.date, *, hour: int = 7, minutes: int = 15, item_seconds: int | None = None
) -> Practised:
    start = at(date, hour)
    return practised(date, start, start + minutes * MINUTE, item_seconds)


def minutes_of(*sessions: Practised) -> int:
    return weeks(add_up(sessions), TODAY, is_planned=lambda _: True)[0].minutes


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
    assert len(streak(map(active, days_ago(*ago)), TODAY, TODAY)) == expected


ZONES = ("UTC", "Pacific/Honolulu", "Pacific/Kiritimati", "Mars/Olympus_Mons")
SOME_DAYS = st.lists(
    st.builds(
        active,
        st.integers(-1, 12).map(lambda number: TODAY - number * DAY),
        st.sampled_from(ZONES),
        st.integers(0, 23),
    )
)


@given(SOME_DAYS, SOME_DAYS)
def test_another_active_day_never_shortens_a_streak(some: list[Active], more: list[Active]) -> None:
    assert len(streak(some + more, TODAY, TODAY)) >= len(streak(some, TODAY, TODAY))
    assert streak(more + some, TODAY, TODAY) == streak(some + more, TODAY, TODAY)


def test_a_week_runs_from_monday_and_the_running_one_by_its_days_so_far() -> None:
    wednesday = datetime.date(2026, 11, 18)
    sessions = [
        session(datetime.date(2026, 11, day), hour=hour)
        for day, hour in ((16, 7), (17, 7), (17, 8), (15, 7))
    ]
    running, last = weeks(add_up(sessions), wednesday, is_planned=lambda _: True)[:2]
    assert running.starts_on == datetime.date(2026, 11, 16)
    assert (running.sessions, running.active_days, running.minutes) == (3, 2, 45)
    assert (running.planned_days, running.adherence_percent) == (3, 66)
    assert (last.sessions, last.adherence_percent) == (1, 14)


@pytest.mark.parametrize(
    ("minutes", "item_seconds", "expected"),
    [
        (120, 300, 120),  # long, but not so long that it must have been forgotten
        (540, 300, 5),
        (540, None, 0),
        (130, 9_000, 130),  # no longer than it lasted
        (60 * 24 * 40, 8_640_000, 1440),
    ],
)
def test_a_session_that_was_left_running_counts_what_its_items_say(
    minutes: int, item_seconds: int | None, expected: int
) -> None:
    counted = session(TODAY, minutes=minutes, item_seconds=item_seconds)
    assert minutes_of(counted) == expected


def test_time_that_two_devices_recorded_counts_once() -> None:
    watch = session(TODAY, hour=7, minutes=30)
    phone = session(TODAY, hour=7, minutes=45)
    inside = session(TODAY, hour=7, minutes=5)
    later = session(TODAY, hour=9, minutes=10)
    for order in itertools.permutations([watch, phone, inside, later]):
        assert minutes_of(*order) == 45 + 10
        assert add_up(order)[TODAY].sessions == 4


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 110)), max_size=8))
def test_minutes_are_those_that_lie_under_any_session(spans: list[tuple[int, int]]) -> None:
    start = at(TODAY, 0)
    sessions = [
        practised(TODAY, start + begins * MINUTE, start + (begins + lasts) * MINUTE, None)
        for begins, lasts in spans
    ]
    under = {minute for begins, lasts in spans for minute in range(begins, begins + lasts)}
    assert minutes_of(*sessions) == len(under)


def test_time_over_midnight_counts_once_and_for_the_day_it_began_on() -> None:
    sunday, monday = datetime.date(2026, 11, 15), datetime.date(2026, 11, 16)
    watch = practised(sunday, at(sunday, 23), at(monday, 1), None)
    phone = practised(monday, at(monday, 0), at(monday, 1) + 30 * MINUTE, None)
    this_week, last_week = weeks(add_up([phone, watch]), monday, is_planned=lambda _: True)[:2]
    assert (last_week.minutes, this_week.minutes) == (120, 30)
    assert (last_week.sessions, this_week.sessions) == (1, 1)


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


def log_days(device: Device, ago: list[int], **changes: Any) -> list[Json]:
    made = []
    for number in ago:
        device.now = datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.UTC) - number * DAY
        made.append(device.session(**changes))
    return made


def test_late_and_unordered_uploads_end_in_the_same_figures(client: TestClient) -> None:
    in_order, shuffled = Device(client), Device(client)
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
    device = Device(client)
    device.enrol(time_zone="Pacific/Kiritimati")
    device.post_session(device.session(local_date="2026-11-23", time_zone="Pacific/Kiritimati"))
    progress = device.get("/v1/me/progress").json()
    assert progress["today"] == "2026-11-23"
    assert progress["streak"]["days"] == 1


def test_an_unknown_zone_counts_as_utc(client: TestClient) -> None:
    device = Device(client)
    device.enrol(time_zone="Mars/Olympus_Mons")
    assert device.get("/v1/me/progress").json()["today"] == "2026-11-22"


def test_abandoned_and_replaced_sessions_do_not_count(device: Device) -> None:
    first = device.session(pain_before=9)
    device.post_session(first)
    device.post_session(device.session(replaces=first["id"]))
    device.post_session(device.session(status="abandoned"))
    progress = device.get("/v1/me/progress").json()
    assert progress["sessions_total"] == 1
    assert progress["pain"]["baseline_tenths"] == 50


def test_pain_is_explained_in_the_requested_language(device: Device) -> None:
    for body in log_days(device, [30, 29], pain_before=6) + log_days(device, [1, 0], pain_before=3):
        device.post_session(body)
    progress = device.get("/v1/me/progress", lang="es").json()
    assert progress["pain"] | {"explanation": ""} == {
        "status": "improved",
        "baseline_tenths": 60,
        "current_tenths": 30,
        "change_tenths": -30,
        "change_percent": -50,
        "explanation": "",
    }
    assert "2 puntos de 10" in progress["pain"]["explanation"]


def test_a_hold_and_the_last_decision_are_shown(device: Device) -> None:
    assert device.get("/v1/me/progress").json()["last_decision"] is None
    decision = device.post_report(device.report({"radiating_pain": "left"})).json()["decision"]
    progress = device.get("/v1/me/progress").json()
    assert progress["last_decision"]["decision_id"] == decision["id"]
    assert progress["activities"]["status"] == "pause"
    assert progress["activities"]["rule_ids"] == ["P01"]
    assert progress["activities"]["text"] == decision["activities"]["text"]


def test_a_long_streak_is_counted_whole(client: TestClient, clock: FakeClock) -> None:
    device = Device(client)
    device.enrol()
    for body in log_days(device, list(range(130))):
        assert device.post_session(body).status_code == 201
    assert device.get("/v1/me/progress").json()["streak"]["days"] == 130
    clock.advance(days=1)
    assert device.get("/v1/me/progress").json()["streak"]["days"] == 130
    clock.advance(days=1)
    assert device.get("/v1/me/progress").json()["streak"]["days"] == 0


def test_a_session_that_two_devices_corrected_counts_once(device: Device) -> None:
    first = device.session()
    corrections = [device.session(replaces=first["id"]) for _ in range(2)]
    for body in (corrections[0], first, corrections[1]):
        device.post_session(body)
    assert device.get("/v1/me/progress").json()["sessions_total"] == 1


# A session and all that corrects it are one session.


def counted(device: Device) -> tuple[int, int]:
    """Count the sessions in progress, and those that a FHIR export says to count."""
    headers = device.headers | {"Accept": "application/fhir+json"}
    bundle = device.client.get("/v1/me/export", headers=headers).json()
    procedures = [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Procedure"
    ]
    standing = [found for found in procedures if found["status"] != "entered-in-error"]
    return device.get("/v1/me/progress").json()["sessions_total"], len(standing)


def test_a_session_corrected_twice_counts_once_in_whatever_order_it_all_arrives(
    device: Device,
) -> None:
    """B and C correct A, D corrects B: one session was practised."""
    lives = list(itertools.product(itertools.permutations(range(4)), (False, True)))
    for order, descending in lives:
        made = [device.session() for _ in range(4)]
        ids = sorted((body["id"] for body in made), reverse=descending)
        for body, record_id in zip(made, ids, strict=True):
            body["id"] = record_id
        a, b, c, d = made
        b["replaces"] = c["replaces"] = a["id"]
        d["replaces"] = b["id"]
        batch = {"sessions": [made[place] for place in order]}
        answer = device.client.post("/v1/batches", json=batch, headers=device.headers).json()
        assert {receipt["status"] for receipt in answer["receipts"]} == {"created"}
    assert counted(device) == (len(lives), len(lives))


def test_after_a_deletion_progress_is_as_if_only_the_rest_had_been_uploaded(device: Device) -> None:
    a = device.session()
    b, c = device.session(replaces=a["id"]), device.session(replaces=a["id"])
    d = device.session(replaces=b["id"])
    for body in (a, b, c, d):
        device.post_session(body)
    device.delete(f"/v1/sessions/{a['id']}")
    assert counted(device) == (1, 1)
    # What connected the two corrections that are left is gone.
    device.delete(f"/v1/sessions/{b['id']}")
    assert counted(device) == (2, 2)
    device.delete(f"/v1/sessions/{c['id']}")
    assert counted(device) == (1, 1)
    device.delete(f"/v1/sessions/{d['id']}")
    assert counted(device) == (0, 0)


# The person's own time.


def test_sessions_of_watch_and_phone_count_their_time_once(device: Device) -> None:
    for ended_at in ("2026-11-22T10:20:00Z", "2026-11-22T10:15:00Z"):
        assert device.post_session(device.session(ended_at=ended_at)).status_code == 201
    week = device.get("/v1/me/progress").json()["weeks"][0]
    assert (week["sessions"], week["minutes"]) == (2, 20)


def test_a_forgotten_stop_button_does_not_count_as_hours_of_exercise(device: Device) -> None:
    items = device.session()["items"] + [
        {"activity_id": "heel-raises", "kind": "exercise", "side": "both", "sets": 3},
        {"activity_id": "arch-rolls", "kind": "exercise", "side": "both", "seconds": 900}
        | {"skipped": True},
    ]
    device.post_session(device.session(ended_at="2026-11-22T19:00:00Z", items=items))
    assert device.get("/v1/me/progress").json()["weeks"][0]["minutes"] == 5


def practise(device: Device, instant: str, time_zone: str, local_date: str) -> None:
    body = device.session(
        started_at=instant, ended_at=instant, time_zone=time_zone, local_date=local_date
    )
    response = device.post_session(body)
    assert (response.status_code, response.json()["adjusted"]) == (201, [])


def test_a_date_skipped_by_flying_west_breaks_no_streak(
    client: TestClient, clock: FakeClock
) -> None:
    """From Honolulu to Auckland there is no 15 November: she practised every day she had."""
    device = Device(client)
    device.enrol(time_zone="Pacific/Honolulu")
    practise(device, "2026-11-14T04:00:00Z", "Pacific/Honolulu", "2026-11-13")
    practise(device, "2026-11-15T04:00:00Z", "Pacific/Honolulu", "2026-11-14")
    practise(device, "2026-11-15T20:00:00Z", "Pacific/Auckland", "2026-11-16")
    practise(device, "2026-11-16T20:00:00Z", "Pacific/Auckland", "2026-11-17")
    clock.instant = datetime.datetime(2026, 11, 16, 21, tzinfo=datetime.UTC)
    for time_zone in ("Pacific/Honolulu", "Pacific/Auckland"):
        device.patch("/v1/me", {"time_zone": time_zone})
        progress = device.get("/v1/me/progress").json()
        assert progress["streak"] == {"days": 4, "last_active_on": "2026-11-17"}


def test_a_date_that_was_not_skipped_but_missed_breaks_a_streak(
    client: TestClient, clock: FakeClock
) -> None:
    device = Device(client)
    device.enrol(time_zone="Pacific/Auckland")
    practise(device, "2026-11-13T20:00:00Z", "Pacific/Auckland", "2026-11-14")
    practise(device, "2026-11-15T20:00:00Z", "Pacific/Auckland", "2026-11-16")
    clock.instant = datetime.datetime(2026, 11, 15, 21, tzinfo=datetime.UTC)
    assert device.get("/v1/me/progress").json()["streak"]["days"] == 1


def test_a_day_is_not_over_before_it_is_over_where_the_person_is(
    client: TestClient, clock: FakeClock
) -> None:
    """It is Saturday in Madrid, where she enrolled, and Friday evening in Los Angeles."""
    device = Device(client)
    device.enrol(time_zone="Europe/Madrid")
    practise(device, "2026-11-20T04:00:00Z", "America/Los_Angeles", "2026-11-19")
    clock.instant = datetime.datetime(2026, 11, 21, 7, 30, tzinfo=datetime.UTC)
    assert device.get("/v1/me/progress").json()["streak"]["days"] == 1
    clock.advance(hours=1)
    assert device.get("/v1/me/progress").json()["streak"]["days"] == 0
