"""The reminders of a plan as an iCalendar document (RFC 5545). Pure.

Whoever reads the calendar learns that somebody exercises, and when: no word about their health.
"""

import datetime
import uuid
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from icalendar import (
    Alarm,
    Calendar,
    Event,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
    vDuration,
)

from api.participants.schedules import WEEKDAYS, PlanInForce
from api.participants.schemas import NewSchedule

MEDIA_TYPE = "text/calendar"
PRODUCT = "-//Footing//Reminders//EN"
LENGTH = datetime.timedelta(minutes=15)
ONE_DAY = datetime.timedelta(days=1)
ONE_MINUTE = datetime.timedelta(minutes=1)
# How often a calendar program should look; most choose for themselves.
REFRESH = datetime.timedelta(hours=6)
# How many years of clock changes are written out after the last change of a plan.
YEARS_OF_CLOCK_CHANGES = 20


@dataclass(frozen=True, slots=True)
class Observance:
    """The time that clocks show from a change on, and the time they showed before."""

    before: datetime.timedelta
    after: datetime.timedelta
    name: str
    daylight: bool


def clock_changes(
    zone: zoneinfo.ZoneInfo, first: datetime.datetime, last: datetime.datetime
) -> Iterator[tuple[datetime.datetime, Observance]]:
    """Yield each change of a zone's clocks with its instant; the state at the start comes first."""

    def offset(instant: datetime.datetime) -> datetime.timedelta:
        return instant.astimezone(zone).utcoffset() or datetime.timedelta()

    def observed(instant: datetime.datetime, before: datetime.timedelta) -> Observance:
        local = instant.astimezone(zone)
        return Observance(before, offset(instant), local.tzname() or zone.key, bool(local.dst()))

    yield first, observed(first, offset(first))
    day = first
    while day < last:
        low, high = day, day + ONE_DAY
        before = offset(low)
        if offset(high) != before:
            while high - low > ONE_MINUTE:
                middle = low + (high - low) // ONE_MINUTE // 2 * ONE_MINUTE
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            yield high, observed(high, before)
        day += ONE_DAY


@lru_cache(maxsize=256)
def time_zone_component(name: str, first_year: int, last_year: int) -> Timezone:
    """Describe when the clocks of a zone change, so that any program reminds at the same moment.

    icalendar could make this itself, but its 7.3 writes the change in spring an hour late and
    misses changes that last a month, such as Morocco's.
    """
    first = datetime.datetime(first_year, 1, 1, tzinfo=datetime.UTC) - 2 * ONE_DAY
    last = datetime.datetime(last_year + 1, 1, 1, tzinfo=datetime.UTC)
    onsets: dict[Observance, list[datetime.datetime]] = {}
    for instant, observance in clock_changes(zoneinfo.ZoneInfo(name), first, last):
        # An onset is written by the clock before it (RFC 5545, 3.6.5).
        local = (instant + observance.before).replace(tzinfo=None)
        onsets.setdefault(observance, []).append(local)
    component = Timezone()
    component.add("tzid", name)
    for observance, (start, *later) in onsets.items():
        part = TimezoneDaylight() if observance.daylight else TimezoneStandard()
        part.add("dtstart", start)
        if later:
            part.add("rdate", later)
        part.add("tzname", observance.name)
        part.add("tzoffsetfrom", observance.before)
        part.add("tzoffsetto", observance.after)
        component.add_component(part)
    return component


def first_day(plan: NewSchedule) -> datetime.date:
    """Return the first day of a plan on which there is something to do."""
    day = plan.starts_on
    while WEEKDAYS[day.weekday()] not in plan.weekdays:
        day += ONE_DAY
    return day


def reminders(
    plan: NewSchedule, in_force: PlanInForce, title: str, calendar_id: uuid.UUID
) -> list[Event]:
    """Make one recurring event for each time of the day."""
    zone = zoneinfo.ZoneInfo(plan.time_zone)
    day = first_day(plan)
    if plan.ends_on is not None and plan.ends_on < day:
        return []
    rule: dict[str, object] = {
        "FREQ": "WEEKLY",
        "BYDAY": [weekday.value[:2].upper() for weekday in plan.weekdays],
    }
    if plan.ends_on is not None:
        end = datetime.datetime.combine(plan.ends_on, datetime.time.max, zone)
        rule["UNTIL"] = end.astimezone(datetime.UTC).replace(microsecond=0)
    events = []
    for number, time in enumerate(plan.times, 1):
        event = Event()
        # By its number, so that moving a reminder changes an event and makes no new one.
        event.add("uid", str(uuid.uuid5(calendar_id, str(number))))
        event.add("sequence", in_force.version)
        event.add("dtstamp", in_force.changed_at)
        event.add("last-modified", in_force.changed_at)
        start = datetime.datetime.combine(day, datetime.time.fromisoformat(time), zone)
        event.add("dtstart", start)
        event.add("duration", LENGTH)
        event.add("rrule", rule)
        event.add("summary", title)
        event.add("transp", "TRANSPARENT")
        event.add("class", "PRIVATE")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", title)
        alarm.add("trigger", datetime.timedelta())
        event.add_component(alarm)
        events.append(event)
    return events


def write_calendar(in_force: PlanInForce | None, title: str, calendar_id: uuid.UUID) -> bytes:
    """Write the calendar of a plan; empty where there is none, or a paused one."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("name", title)
    calendar.add("x-wr-calname", title)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    plan = None if in_force is None else in_force.plan
    if in_force is None or plan is None or plan.paused:
        # A calendar has to hold something, and a time zone is nothing that anybody sees.
        calendar.add_component(time_zone_component("UTC", 2000, 2000))
        return bytes(calendar.to_ical())
    years = (plan.starts_on.year, in_force.changed_at.year)
    calendar.add_component(
        time_zone_component(plan.time_zone, years[0], max(years) + YEARS_OF_CLOCK_CHANGES)
    )
    for event in reminders(plan, in_force, title, calendar_id):
        calendar.add_component(event)
    return bytes(calendar.to_ical())
