"""The reminders of a schedule as an iCalendar document (RFC 5545). Pure.

A calendar reveals that someone exercises and when, and nothing about their health.
"""

import datetime
import uuid
from collections.abc import Iterator, Sequence
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

from api.core.zones import find_zone
from api.participants.schedules import WEEKDAYS, ScheduleInForce
from api.participants.schemas import NewSchedule

MEDIA_TYPE = "text/calendar"
PRODUCT = "-//Footing//Reminders//EN"
LENGTH = datetime.timedelta(minutes=15)
ONE_DAY = datetime.timedelta(days=1)
ONE_MINUTE = datetime.timedelta(minutes=1)
# How often a calendar program should refresh; most use an interval of their own.
REFRESH = datetime.timedelta(hours=6)
ONE_WEEK = datetime.timedelta(days=7)
# How many years of clock changes are considered after the last change of a schedule, and listed
# one by one if they follow no rule.
YEARS_OF_CLOCK_CHANGES = 20
# How many changes by the same pattern make a rule: within that many years each of the days on which
# it can fall occurs at least once.
LEAST_CHANGES_OF_A_RULE = 12
Rule = dict[str, object]


@dataclass(frozen=True, slots=True)
class Observance:
    """The UTC offset from a clock change on, and the offset before it."""

    before: datetime.timedelta
    after: datetime.timedelta
    name: str
    daylight: bool


def offset_transitions(
    zone: datetime.tzinfo, first: datetime.datetime, last: datetime.datetime
) -> Iterator[tuple[datetime.datetime, Observance]]:
    """Yield each clock change of a zone with its instant, beginning with the state at `first`."""

    def offset(instant: datetime.datetime) -> datetime.timedelta:
        return instant.astimezone(zone).utcoffset() or datetime.timedelta()

    def observed(instant: datetime.datetime, before: datetime.timedelta) -> Observance:
        local = instant.astimezone(zone)
        return Observance(before, offset(instant), local.tzname() or "", bool(local.dst()))

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


def clocks_of(name: str) -> datetime.tzinfo:
    """Return the zone of a schedule, which was known when the schedule was stored."""
    return find_zone(name) or datetime.UTC


def tzid_of(name: str) -> str:
    """Return a zone's TZID; in that of an offset a colon is not allowed."""
    return f"UTC{name.replace(':', '')}" if name.startswith(("+", "-")) else name


def yearly_rule(onsets: Sequence[datetime.datetime]) -> Rule | None:
    """Return the yearly RRULE of clock changes, or None if they follow none."""
    first = onsets[0]
    years = [onset.year - first.year for onset in onsets]
    if len(onsets) < LEAST_CHANGES_OF_A_RULE or years != list(range(len(onsets))):
        return None
    days = {onset.day for onset in onsets}
    moments = {(onset.month, onset.weekday(), onset.time()) for onset in onsets}
    if len(moments) > 1 or len(days) < ONE_WEEK.days:
        return None
    weekday = WEEKDAYS[first.weekday()].value[:2].upper()
    rule: Rule = {"FREQ": "YEARLY", "BYMONTH": first.month}
    weeks = {(day - 1) // ONE_WEEK.days + 1 for day in days}
    if all((onset + ONE_WEEK).month != onset.month for onset in onsets):
        return rule | {"BYDAY": f"-1{weekday}"}
    if len(weeks) == 1:
        return rule | {"BYDAY": f"{weeks.pop()}{weekday}"}
    if len(days) > ONE_WEEK.days:
        return None
    # Such as "the Sunday after the first Saturday": one of seven days in a row.
    return rule | {"BYMONTHDAY": sorted(days), "BYDAY": weekday}


@lru_cache(maxsize=256)
def time_zone_component(name: str, first_year: int, last_year: int) -> Timezone:
    """Return the VTIMEZONE of a zone, so that all programs remind at the same instant.

    A rule from the year in which it begins to hold, because some programs read nothing else; dates
    before that, and for zones without a rule. icalendar 7.3 can generate this, but writes the
    change in spring an hour late and misses changes that last a month, such as Morocco's.
    """
    # The year before has the offset at the beginning of the first year.
    first = datetime.datetime(first_year - 1, 1, 1, tzinfo=datetime.UTC)
    last = datetime.datetime(last_year + 1, 1, 1, tzinfo=datetime.UTC)
    onsets: dict[Observance, list[datetime.datetime]] = {}
    start, *changes = offset_transitions(clocks_of(name), first, last)
    if not changes or changes[0][0].year >= first_year:
        changes.insert(0, start)
    for instant, observance in changes:
        # An onset is written by the clock before it (RFC 5545, 3.6.5).
        local = (instant + observance.before).replace(tzinfo=None)
        onsets.setdefault(observance, []).append(local)
    component = Timezone()
    component.add("tzid", tzid_of(name))
    for observance, dates in onsets.items():
        for part in _written(observance, dates, last_year):
            component.add_component(part)
    return component


def _written(
    observance: Observance, onsets: Sequence[datetime.datetime], last_year: int
) -> Iterator[TimezoneDaylight | TimezoneStandard]:
    """Write an observance: dates first, then a rule from the onset on at which it begins."""
    ruled, rule = len(onsets), None
    if onsets[-1].year == last_year:
        for place in range(len(onsets)):
            rule = yearly_rule(onsets[place:])
            if rule is not None:
                ruled = place
                break

    def part(onset: datetime.datetime) -> TimezoneDaylight | TimezoneStandard:
        made = TimezoneDaylight() if observance.daylight else TimezoneStandard()
        made.add("dtstart", onset)
        made.add("tzname", observance.name)
        made.add("tzoffsetfrom", observance.before)
        made.add("tzoffsetto", observance.after)
        return made

    if ruled > 0:
        dated = part(onsets[0])
        if ruled > 1:
            dated.add("rdate", onsets[1:ruled])
        yield dated
    if rule is not None:
        by_rule = part(onsets[ruled])
        by_rule.add("rrule", rule)
        yield by_rule


def first_day(schedule: NewSchedule) -> datetime.date:
    """Return the first planned day of a schedule."""
    day = schedule.starts_on
    while WEEKDAYS[day.weekday()] not in schedule.weekdays:
        day += ONE_DAY
    return day


def reminders(
    schedule: NewSchedule, in_force: ScheduleInForce, title: str, calendar_id: uuid.UUID
) -> list[Event]:
    """Return one recurring event for each time of the day."""
    zone = clocks_of(schedule.time_zone)
    day = first_day(schedule)
    if schedule.ends_on is not None and schedule.ends_on < day:
        return []
    rule: dict[str, object] = {
        "FREQ": "WEEKLY",
        "BYDAY": [weekday.value[:2].upper() for weekday in schedule.weekdays],
    }
    if schedule.ends_on is not None:
        end = datetime.datetime.combine(schedule.ends_on, datetime.time.max, zone)
        rule["UNTIL"] = end.astimezone(datetime.UTC).replace(microsecond=0)
    events = []
    for number, time in enumerate(schedule.times, 1):
        event = Event()
        # By number, so that moving a reminder changes its event instead of adding one.
        event.add("uid", str(uuid.uuid5(calendar_id, str(number))))
        event.add("sequence", in_force.version)
        event.add("dtstamp", in_force.changed_at)
        event.add("last-modified", in_force.changed_at)
        start = datetime.datetime.combine(day, datetime.time.fromisoformat(time))
        event.add("dtstart", start, parameters={"TZID": tzid_of(schedule.time_zone)})
        event.add("duration", LENGTH)
        event.add("rrule", rule)
        event.add("summary", title)
        event.add("transp", "TRANSPARENT")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", title)
        alarm.add("trigger", datetime.timedelta())
        event.add_component(alarm)
        events.append(event)
    return events


def write_calendar(in_force: ScheduleInForce | None, title: str, calendar_id: uuid.UUID) -> bytes:
    """Return the calendar of a schedule; without events if there is none or it is paused."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("name", title)
    calendar.add("x-wr-calname", title)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    schedule = None if in_force is None else in_force.schedule
    if in_force is None or schedule is None or schedule.paused:
        # A calendar must have a component, and a time zone is not displayed.
        calendar.add_component(time_zone_component("UTC", 2000, 2000))
        return bytes(calendar.to_ical())
    years = (schedule.starts_on.year, in_force.changed_at.year)
    calendar.add_component(
        time_zone_component(schedule.time_zone, years[0], max(years) + YEARS_OF_CLOCK_CHANGES)
    )
    for event in reminders(schedule, in_force, title, calendar_id):
        calendar.add_component(event)
    return bytes(calendar.to_ical())
