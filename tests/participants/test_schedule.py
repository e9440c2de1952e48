"""A schedule: replaced whole, never overwritten unseen, and counted from its own day on."""

import datetime

import pytest
from starlette.testclient import TestClient

from api.participants.models import RecordedChange, StoredSchedule
from tests.core.stored import rows
from tests.support.clock import FakeClock
from tests.support.device import Device, Json

PATH = "/v1/me/schedule"


def test_while_there_is_no_schedule_the_answer_is_404(device: Device) -> None:
    response = device.get(PATH)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_schedule_is_returned_with_all_that_a_device_needs_to_remind(device: Device) -> None:
    put = device.put(PATH, device.schedule())
    assert put.status_code == 200
    assert put.json() == {
        "routine_id": "daily-15-minutes",
        "weekdays": ["mon", "wed", "fri"],
        "times": ["08:00", "19:30"],
        "time_zone": "Europe/Madrid",
        "starts_on": "2026-11-22",
        "ends_on": None,
        "paused": False,
        "reminder_title": "Exercise time",
        "changed_at": "2026-11-22T12:00:00Z",
    }
    got = device.get(PATH)
    assert got.json() == put.json()
    assert got.headers["ETag"] == put.headers["ETag"]
    assert got.headers["Cache-Control"] == "no-store"


def test_days_and_times_are_put_in_order_each_once(device: Device) -> None:
    days = ["sun", "mon", "thu", "mon"]
    put = device.put(PATH, device.schedule(weekdays=days, times=["19:30", "06:05", "19:30"])).json()
    assert put["weekdays"] == ["mon", "thu", "sun"]
    assert put["times"] == ["06:05", "19:30"]


def test_a_schedule_can_do_without_reminders_and_what_may_be_left_out_is(device: Device) -> None:
    body = {k: v for k, v in device.schedule(times=[]).items() if k not in {"ends_on", "paused"}}
    put = device.put(PATH, body).json()
    assert (put["times"], put["ends_on"], put["paused"]) == ([], None, False)


def test_the_title_for_locked_screens_is_in_the_persons_language_and_says_nothing_of_health(
    client: TestClient,
) -> None:
    device = Device(client)
    device.enrol(language="es-MX")
    assert device.put(PATH, device.schedule()).json()["reminder_title"] == "Hora de ejercicio"


def test_a_schedule_is_replaced_whole(device: Device) -> None:
    device.put(PATH, device.schedule(ends_on="2026-12-24"))
    body = device.schedule(weekdays=["sun"], times=[], routine_id="exercises-only")
    device.put(PATH, body)
    got = device.get(PATH).json()
    assert {name: got[name] for name in body} == body


def test_a_change_of_an_outdated_version_is_rejected(device: Device) -> None:
    first = device.put(PATH, device.schedule(), **{"If-None-Match": "*"})
    assert first.status_code == 200
    second = device.put(
        PATH, device.schedule(times=["09:00"]), **{"If-Match": first.headers["ETag"]}
    )
    assert second.status_code == 200
    late = device.put(PATH, device.schedule(times=["10:00"]), **{"If-Match": first.headers["ETag"]})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert late.headers["ETag"] == second.headers["ETag"]
    again = device.put(PATH, device.schedule(times=["11:00"]), **{"If-None-Match": "*"})
    assert again.status_code == 412
    assert device.delete(PATH, **{"If-Match": first.headers["ETag"]}).status_code == 412
    assert device.get(PATH).json()["times"] == ["09:00"]


@pytest.mark.parametrize("tag", ['"1"', "*", '"7"', "rubbish"])
def test_what_is_not_there_matches_nothing(device: Device, tag: str) -> None:
    assert device.put(PATH, device.schedule(), **{"If-Match": tag}).status_code == 412
    assert device.get(PATH).status_code == 404


def test_without_conditions_the_last_one_to_write_wins(device: Device) -> None:
    for time in ("09:00", "10:00"):
        assert device.put(PATH, device.schedule(times=[time])).status_code == 200
    assert device.get(PATH).json()["times"] == ["10:00"]


def test_an_answer_that_was_lost_can_be_asked_for_again(
    device: Device, clock: FakeClock, database_url: str
) -> None:
    tag = device.put(PATH, device.schedule()).headers["ETag"]
    wanted = device.schedule(times=["09:00"])
    lost = device.put(PATH, wanted, **{"If-Match": tag})
    clock.advance(hours=1)
    again = device.put(PATH, wanted, **{"If-Match": tag})
    assert again.status_code == 200
    assert again.json() == lost.json()
    assert again.headers["ETag"] == lost.headers["ETag"]
    assert len(rows(database_url, RecordedChange)) == 2


def test_a_deleted_schedule_is_gone_and_a_new_one_has_another_etag(device: Device) -> None:
    tag = device.put(PATH, device.schedule()).headers["ETag"]
    assert device.delete(PATH, **{"If-Match": tag}).status_code == 204
    assert device.delete(PATH, **{"If-Match": tag}).status_code == 204
    assert device.get(PATH).status_code == 404
    again = device.put(PATH, device.schedule(), **{"If-None-Match": "*"})
    assert again.status_code == 200
    assert again.headers["ETag"] != tag


def test_deleting_what_never_was_is_no_change(device: Device, database_url: str) -> None:
    assert device.delete(PATH).status_code == 204
    assert rows(database_url, StoredSchedule) == rows(database_url, RecordedChange) == []


def test_each_change_is_numbered_and_a_deletion_is_a_change(
    device: Device, database_url: str
) -> None:
    device.put(PATH, device.schedule())
    device.put(PATH, device.schedule())
    device.put(PATH, device.schedule(paused=True))
    device.delete(PATH)
    found = sorted(rows(database_url, RecordedChange), key=lambda row: row["number"])
    assert [(row["number"], row["kind"], row["deleted"]) for row in found] == [
        (1, "schedule", False),
        (2, "schedule", False),
        (3, "schedule", True),
    ]
    assert {str(row["record_id"]) for row in found} == {device.participant_id}


def test_what_was_planned_on_a_past_day_stays_known_one_schedule_a_day(
    device: Device, clock: FakeClock, database_url: str
) -> None:
    for times in (["08:00"], ["09:00"]):
        device.put(PATH, device.schedule(times=times))
    clock.advance(days=2)
    device.put(PATH, device.schedule(times=["10:00"]))
    stored = sorted(rows(database_url, StoredSchedule), key=lambda row: row["in_force_from"])
    assert [(row["in_force_from"], row["plan"]["times"]) for row in stored] == [
        (datetime.date(2026, 11, 22), ["09:00"]),
        (datetime.date(2026, 11, 24), ["10:00"]),
    ]


def test_travelling_west_over_the_date_line_loses_no_schedule(
    device: Device, clock: FakeClock, database_url: str
) -> None:
    device.put(PATH, device.schedule(time_zone="Pacific/Auckland"))
    clock.advance(hours=1)
    put = device.put(PATH, device.schedule(time_zone="Pacific/Honolulu", times=["07:00"]))
    assert put.status_code == 200
    assert device.get(PATH).json()["times"] == ["07:00"]
    (stored,) = rows(database_url, StoredSchedule)
    assert stored["in_force_from"] == datetime.date(2026, 11, 23)


BAD_PLANS: list[tuple[Json, str, str]] = [
    ({"routine_id": "moon-walk"}, "/routine_id", "unknown_routine"),
    ({"routine_id": "Daily 15"}, "/routine_id", "string_pattern_mismatch"),
    ({"time_zone": "Europe/Atlantis"}, "/time_zone", "unknown_time_zone"),
    ({"time_zone": "europe/madrid"}, "/time_zone", "unknown_time_zone"),
    ({"time_zone": "../../etc/passwd"}, "/time_zone", "string_pattern_mismatch"),
    ({"ends_on": "2026-11-21"}, "/ends_on", "ends_before_start"),
    ({"starts_on": "1999-12-31"}, "/starts_on", "value_error"),
    ({"starts_on": "2201-01-01"}, "/starts_on", "value_error"),
    ({"starts_on": "2026-02-30"}, "/starts_on", "date_from_datetime_parsing"),
    ({"starts_on": None}, "/starts_on", "value_error"),
    ({"ends_on": "9999-12-31"}, "/ends_on", "value_error"),
    ({"weekdays": []}, "/weekdays", "too_short"),
    ({"weekdays": ["mon"] * 8}, "/weekdays", "too_long"),
    ({"weekdays": ["monday"]}, "/weekdays/0", "enum"),
    ({"weekdays": [1]}, "/weekdays/0", "enum"),
    ({"weekdays": "mon"}, "/weekdays", "list_type"),
    ({"times": ["08:00"] * 9}, "/times", "too_long"),
    ({"times": None}, "/times", "list_type"),
    *(
        ({"times": [time]}, "/times/0", code)
        for time, code in (
            ("24:00", "string_pattern_mismatch"),
            ("8:00", "string_pattern_mismatch"),
            ("08:60", "string_pattern_mismatch"),
            ("08:00\n", "string_too_long"),
            ("08:00:00", "string_too_long"),
            ("٠٨:٠٠", "string_pattern_mismatch"),
            (800, "string_type"),
        )
    ),
    ({"paused": "no"}, "/paused", "bool_type"),
    ({"time_zone": "localtime"}, "/time_zone", "unknown_time_zone"),
    ({"time_zone": "Factory"}, "/time_zone", "unknown_time_zone"),
    ({"time_zone": "+19:00"}, "/time_zone", "unknown_time_zone"),
    ({"note": "for my back"}, "/note", "unknown_field"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), BAD_PLANS)
def test_a_bad_field_is_named_and_the_schedule_stays(
    device: Device, change: Json, pointer: str, code: str
) -> None:
    device.put(PATH, device.schedule())
    response = device.put(PATH, device.schedule() | change)
    assert response.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]] == [
        (pointer, code)
    ]
    assert device.get(PATH).json()["changed_at"] == "2026-11-22T12:00:00Z"


def test_every_fault_is_named_at_once(device: Device) -> None:
    body = device.schedule(
        routine_id="moon-walk", time_zone="Europe/Atlantis", ends_on="2026-01-01"
    )
    problem = device.put(PATH, body).json()
    assert [fault["pointer"] for fault in problem["errors"]] == [
        "/routine_id",
        "/time_zone",
        "/ends_on",
    ]


def test_every_routine_can_be_planned(device: Device) -> None:
    for routine in device.get("/v1/routines").json()["items"]:
        assert device.put(PATH, device.schedule(routine_id=routine["id"])).status_code == 200


def test_schedules_are_visible_only_to_their_participant(client: TestClient) -> None:
    one, other = Device(client), Device(client)
    one.enrol()
    other.enrol()
    one.put(PATH, one.schedule())
    assert other.get(PATH).status_code == 404
    other.delete(PATH)
    assert one.get(PATH).status_code == 200


# The planned days are what adherence is measured against.


def week(device: Device, number: int = 0) -> tuple[int, int, int | None]:
    found = device.get("/v1/me/progress").json()["weeks"][number]
    return found["active_days"], found["planned_days"], found["adherence_percent"]


def log(device: Device, *days: int) -> None:
    """Log a session on each of these days of November."""
    for day in days:
        device.now = datetime.datetime(2026, 11, day, 10, 0, tzinfo=datetime.UTC)
        assert device.post_session(device.session()).status_code == 201


def test_adherence_is_measured_by_the_days_of_the_schedule(
    device: Device, clock: FakeClock
) -> None:
    # Monday, the 23rd.
    clock.advance(days=1)
    device.put(PATH, device.schedule())
    clock.advance(days=6)
    log(device, 23, 25)
    assert week(device) == (2, 3, 66)
    log(device, 26)
    assert week(device) == (3, 3, 100)


def test_the_running_week_counts_the_planned_days_so_far(device: Device, clock: FakeClock) -> None:
    clock.advance(days=1)
    device.put(PATH, device.schedule(weekdays=["wed", "fri"]))
    assert week(device) == (0, 0, None)
    clock.advance(days=2)
    assert week(device) == (0, 1, 0)


def test_before_and_after_every_schedule_each_day_counts_as_planned(
    device: Device, clock: FakeClock
) -> None:
    clock.advance(days=1)
    device.put(PATH, device.schedule())
    clock.advance(days=7)
    device.delete(PATH)
    clock.advance(days=6)
    assert [week(device, number)[1] for number in range(3)] == [7, 3, 7]


def test_a_pause_plans_nothing_from_its_day_on_and_takes_nothing_back(
    device: Device, clock: FakeClock
) -> None:
    clock.advance(days=1)
    device.put(PATH, device.schedule(weekdays=["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
    clock.advance(days=3)
    device.put(PATH, device.schedule(paused=True))
    clock.advance(days=10)
    assert [week(device, number) for number in range(2)] == [(0, 0, None), (0, 3, 0)]
    device.put(PATH, device.schedule(weekdays=["sun"]))
    assert week(device) == (0, 1, 0)


def test_a_schedule_counts_between_its_first_and_its_last_day(
    device: Device, clock: FakeClock
) -> None:
    clock.advance(days=1)
    every = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    device.put(PATH, device.schedule(weekdays=every, starts_on="2026-11-26", ends_on="2026-12-01"))
    clock.advance(days=13)
    assert [week(device, number)[1] for number in range(2)] == [2, 4]


def test_late_uploads_in_any_order_end_in_the_same_adherence(
    client: TestClient, clock: FakeClock
) -> None:
    punctual, late = Device(client), Device(client)
    for device in (punctual, late):
        device.enrol()
    clock.advance(days=1)
    for device in (punctual, late):
        device.put(PATH, device.schedule())
    log(punctual, 23)
    clock.advance(days=7)
    log(punctual, 25, 30)
    for device in (punctual, late):
        device.put(PATH, device.schedule(weekdays=["tue"]))
    log(late, 30, 25, 23)
    assert late.get("/v1/me/progress").json() == punctual.get("/v1/me/progress").json()
    assert [week(late, number) for number in range(2)] == [(1, 0, None), (2, 3, 66)]
