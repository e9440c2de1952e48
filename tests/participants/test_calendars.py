"""A schedule as a calendar: right on the wall in every zone, silent about health, revocable."""

import bisect
import datetime
import uuid
import zoneinfo

import pytest
import recurring_ical_events
from icalendar import Calendar, Event, Timezone
from starlette.testclient import TestClient

from api.participants.calendars import write_calendar
from api.participants.models import CalendarFeed
from api.participants.schedules import ScheduleInForce
from api.participants.schemas import NewSchedule
from tests.core.stored import everything, rows
from tests.support.clock import FakeClock
from tests.support.device import Device, Json

DAY = datetime.timedelta(days=1)
ID = uuid.UUID(int=7)
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# Where clocks change: north, south, by half an hour, twice for a month, at midnight, and nowhere.
ZONES = [
    "Europe/Madrid",
    "America/New_York",
    "Europe/Dublin",
    "Australia/Sydney",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Antarctica/Troll",
    "Asia/Kolkata",
    "UTC",
]


def schedule_of(**changes: object) -> ScheduleInForce:
    body = {
        "routine_id": "daily-15-minutes",
        "weekdays": ["mon", "wed", "fri"],
        "times": ["08:00", "19:30"],
        "time_zone": "Europe/Madrid",
        "starts_on": "2026-11-22",
    } | changes
    changed_at = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
    made = NewSchedule.model_validate(body)
    return ScheduleInForce(made.starts_on, 3, made, changed_at)


def read(data: bytes) -> Calendar:
    calendar = Calendar.from_ical(data)
    assert isinstance(calendar, Calendar)
    return calendar


def written(**changes: object) -> Calendar:
    return read(write_calendar(schedule_of(**changes), "Exercise time", ID))


def starts(
    calendar: Calendar, first: datetime.date, last: datetime.date
) -> list[datetime.datetime]:
    events = recurring_ical_events.of(calendar).between(first, last + DAY)
    return sorted(event.start for event in events)


Offsets = list[tuple[datetime.datetime, datetime.timedelta]]
YEARS = 12


def onsets_of(component: Timezone) -> Offsets:
    """Read when the observances of a VTIMEZONE begin, in UTC, by their dates and their rules."""
    onsets: Offsets = []
    for part in component.subcomponents:
        local = [part.DTSTART, *(date for date, _ in part.rdates)]
        if "RRULE" in part:
            event = Event()
            event.add("dtstart", part.DTSTART)
            event.add("rrule", part["RRULE"])
            years = (part.DTSTART, part.DTSTART + YEARS * 366 * DAY)
            local = [found.start for found in recurring_ical_events.of(event).between(*years)]
        onsets += [(onset - part.TZOFFSETFROM, part.TZOFFSETTO) for onset in local]
    return sorted(onsets)


def utc_offset(onsets: Offsets, instant: datetime.datetime) -> datetime.timedelta:
    """Read a VTIMEZONE by the letter of RFC 5545, 3.6.5: the last onset before an instant holds."""
    place = bisect.bisect_right(onsets, instant.replace(tzinfo=None), key=lambda onset: onset[0])
    return onsets[place - 1][1]


def rules_of(component: Timezone) -> list[str]:
    rules = [part["RRULE"].to_ical() for part in component.subcomponents if "RRULE" in part]
    return [rule.decode() for rule in rules if isinstance(rule, bytes)]


@pytest.mark.parametrize("name", ZONES)
def test_a_zone_is_described_as_its_clocks_are(name: str) -> None:
    (described,) = written(time_zone=name, starts_on="2026-01-01").timezones
    onsets = onsets_of(described)
    zone = zoneinfo.ZoneInfo(name)
    instant = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    while instant.year < 2029:
        assert utc_offset(onsets, instant) == instant.astimezone(zone).utcoffset(), instant
        instant += datetime.timedelta(minutes=30)


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        (
            "Europe/Madrid",
            ["FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"],
        ),
        (
            "America/New_York",
            ["FREQ=YEARLY;BYDAY=2SU;BYMONTH=3", "FREQ=YEARLY;BYDAY=1SU;BYMONTH=11"],
        ),
        (
            "America/Santiago",
            [
                "FREQ=YEARLY;BYDAY=SU;BYMONTHDAY=2,3,4,5,6,7,8;BYMONTH=4",
                "FREQ=YEARLY;BYDAY=SU;BYMONTHDAY=2,3,4,5,6,7,8;BYMONTH=9",
            ],
        ),
    ],
)
def test_clocks_that_follow_a_rule_are_described_by_it_alone(name: str, rules: list[str]) -> None:
    # Outlook reads a zone of nothing but dates wrongly, and shifts every reminder.
    (described,) = written(time_zone=name).timezones
    assert rules_of(described) == rules
    assert len(described.subcomponents) == 2
    assert b"RDATE" not in described.to_ical()


def test_clocks_that_follow_none_are_described_date_by_date() -> None:
    (described,) = written(time_zone="Africa/Casablanca").timezones
    assert rules_of(described) == []


def test_a_rule_counts_from_the_year_on_in_which_it_holds() -> None:
    (described,) = written(time_zone="America/New_York", starts_on="2005-01-01").timezones
    onsets = onsets_of(described)
    zone = zoneinfo.ZoneInfo("America/New_York")
    instant = datetime.datetime(2005, 1, 1, tzinfo=datetime.UTC)
    while instant.year < 2010:
        assert utc_offset(onsets, instant) == instant.astimezone(zone).utcoffset(), instant
        instant += datetime.timedelta(hours=3)
    assert len(rules_of(described)) == 2


@pytest.mark.parametrize(
    ("offset", "tzid"), [("+05:30", b"UTC+0530"), ("GMT-3", b"UTC-0300"), ("+00:00", b"UTC")]
)
def test_a_schedule_by_an_offset_reminds_by_it(offset: str, tzid: bytes) -> None:
    calendar = written(time_zone=offset, weekdays=EVERY_DAY, times=["08:00"])
    (described,) = calendar.timezones
    assert b"TZID:" + tzid + b"\r\n" in described.to_ical()
    ahead = utc_offset(onsets_of(described), datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC))
    found = starts(calendar, datetime.date(2026, 11, 23), datetime.date(2026, 11, 23))
    assert [(moment.hour, moment.utcoffset()) for moment in found] == [(8, ahead)]


def test_a_reminder_is_shown_by_its_title() -> None:
    # A private event is shown as "Busy" by Google, in a calendar that holds nothing private.
    assert b"CLASS" not in written().to_ical()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Europe/Madrid", datetime.date(2027, 3, 28)),
        ("Europe/Madrid", datetime.date(2026, 10, 25)),
        ("Australia/Sydney", datetime.date(2027, 4, 4)),
        ("Australia/Sydney", datetime.date(2027, 10, 3)),
        ("America/Santiago", datetime.date(2027, 4, 4)),
    ],
)
def test_the_clock_on_the_wall_shows_the_same_time_before_and_after_a_change(
    name: str, change: datetime.date
) -> None:
    zone = zoneinfo.ZoneInfo(name)
    calendar = written(time_zone=name, weekdays=EVERY_DAY, starts_on="2026-10-01", times=["08:00"])
    found = starts(calendar, change - 3 * DAY, change + 3 * DAY)
    assert [moment.astimezone(zone).time() for moment in found] == [datetime.time(8, 0)] * 7
    assert [moment.astimezone(zone).date() for moment in found] == [
        change + days * DAY for days in range(-3, 4)
    ]
    assert len({moment.utcoffset() for moment in found}) == 2


def test_there_is_a_reminder_on_each_of_the_days_at_each_of_the_times() -> None:
    found = starts(written(), datetime.date(2026, 11, 20), datetime.date(2026, 11, 29))
    assert [moment.strftime("%a %d %H:%M") for moment in found] == [
        "Mon 23 08:00",
        "Mon 23 19:30",
        "Wed 25 08:00",
        "Wed 25 19:30",
        "Fri 27 08:00",
        "Fri 27 19:30",
    ]


def test_the_last_day_is_still_one() -> None:
    # Late in the evening the last day is another one in UTC.
    calendar = written(times=["23:45"], time_zone="America/Lima", ends_on="2026-11-27")
    found = starts(calendar, datetime.date(2026, 11, 20), datetime.date(2026, 12, 20))
    assert [moment.day for moment in found] == [23, 25, 27]


@pytest.mark.parametrize(
    "changes",
    [
        {"paused": True},
        {"times": []},
        {"starts_on": "2026-11-24", "ends_on": "2026-11-24"},
    ],
)
def test_where_nothing_is_planned_the_calendar_is_empty_and_valid(changes: Json) -> None:
    calendar = written(**changes)
    assert calendar.walk("VEVENT") == []
    assert calendar["VERSION"] == "2.0"
    assert calendar["PRODID"]
    assert len(calendar.subcomponents) == 1


def test_a_moved_reminder_is_the_same_event_in_a_newer_version() -> None:
    first = written(times=["08:00"]).walk("VEVENT")[0]
    newer = schedule_of(times=["09:00"])
    moved = read(
        write_calendar(
            ScheduleInForce(newer.in_force_from, 4, newer.schedule, newer.changed_at),
            "Exercise time",
            ID,
        )
    ).walk("VEVENT")[0]
    assert moved["UID"] == first["UID"]
    assert (first["SEQUENCE"], moved["SEQUENCE"]) == (3, 4)
    assert moved["LAST-MODIFIED"].to_ical() == b"20261122T120000Z"


def test_every_line_fits_and_no_two_events_share_an_id() -> None:
    data = write_calendar(
        schedule_of(times=[f"{hour:02}:00" for hour in range(8, 16)]), "Exercise", ID
    )
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert data.count(b"\n") == data.count(b"\r\n")
    ids = [event["UID"] for event in read(data).walk("VEVENT")]
    assert len(set(ids)) == len(ids) == 8


# The address.


def address(device: Device) -> str:
    response = device.post("/v1/me/schedule/feed")
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    path: str = response.json()["path"]
    assert response.headers["Location"] == path
    return path


def events(client: TestClient, path: str) -> list[str]:
    return [str(event["SUMMARY"]) for event in read(client.get(path).content).walk("VEVENT")]


def test_the_calendar_needs_no_token_and_contains_nothing_personal(
    client: TestClient, device: Device
) -> None:
    device.put("/v1/me/schedule", device.schedule())
    response = client.get(address(device))
    assert response.status_code == 200
    assert response.headers["Content-Type"].partition(";")[0] == "text/calendar"
    assert response.headers["Cache-Control"] == "private, max-age=0"
    text = response.text.lower()
    for word in ("back", "pain", "health", "patient", "therap", "massage", "daily-15", "foot-"):
        assert word not in text
    assert device.participant_id not in text
    assert device.participant_id.replace("-", "") not in text
    assert events(client, response.request.url.path) == ["Exercise time"] * 2


def test_it_follows_the_schedule_and_the_language(client: TestClient, device: Device) -> None:
    path = address(device)
    assert events(client, path) == []
    device.put("/v1/me/schedule", device.schedule(times=["08:00"]))
    device.patch("/v1/me", {"language": "es"})
    assert events(client, path) == ["Hora de ejercicio"]
    device.put("/v1/me/schedule", device.schedule(paused=True))
    assert events(client, path) == []
    device.put("/v1/me/schedule", device.schedule())
    device.delete("/v1/me/schedule")
    assert events(client, path) == []


def test_a_program_that_has_it_gets_304_until_it_changes(
    client: TestClient, device: Device, clock: FakeClock
) -> None:
    device.put("/v1/me/schedule", device.schedule())
    path = address(device)
    tag = client.get(path).headers["ETag"]
    clock.advance(days=3)
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "private, max-age=0"
    assert client.head(path).headers["ETag"] == tag
    device.put("/v1/me/schedule", device.schedule(times=["09:00"]))
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_the_url_is_long_random_and_stored_as_a_hash(device: Device, database_url: str) -> None:
    secrets = [address(device).rpartition("/")[2].removesuffix(".ics") for _ in range(3)]
    assert {len(bytes.fromhex(secret)) for secret in secrets} == {32}
    assert len(set(secrets)) == 3
    assert len(rows(database_url, CalendarFeed)) == 1
    stored = everything(database_url)
    assert not [secret for secret in secrets if secret in stored]


def test_renewing_and_revoking_invalidate_the_old_url_immediately(
    client: TestClient, device: Device
) -> None:
    first = address(device)
    second = address(device)
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200
    for _ in range(2):
        assert device.delete("/v1/me/schedule/feed").status_code == 204
    assert client.get(second).status_code == 404
    assert client.get(address(device)).status_code == 200


def test_erasing_ends_the_address(client: TestClient, device: Device) -> None:
    path = address(device)
    device.delete("/v1/me")
    assert client.get(path).status_code == 404


def test_all_invalid_urls_get_the_same_response(client: TestClient, device: Device) -> None:
    revoked = address(device)
    device.delete("/v1/me/schedule/feed")
    paths = [revoked, f"/v1/calendars/{'0' * 64}.ics", "/v1/calendars/x.ics"]
    answers = []
    for path in (*paths, f"/v1/calendars/{'a' * 500}.ics", "/v1/calendars/%00.ics"):
        response = client.get(path, headers={"X-Request-ID": "the-same-request"})
        assert response.status_code == 404
        problem = response.json()
        del problem["instance"]
        answers.append(problem)
    assert all(answer == answers[0] for answer in answers)


def test_calendar_urls_are_separate_for_each_participant(
    client: TestClient, device: Device
) -> None:
    other = Device(client)
    other.enrol()
    path = address(device)
    address(other)
    other.delete("/v1/me/schedule/feed")
    assert client.get(path).status_code == 200
