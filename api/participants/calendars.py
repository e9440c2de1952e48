"""The reminders of a plan as an iCalendar document (RFC 5545). Pure.

Whoever reads the calendar learns that somebody exercises, and when: no word about their health.
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
from api.participants.schedules import WEEKDAYS, PlanInForce
from api.participants.schemas import NewSchedule

MEDIA_TYPE = "text/calendar"
PRODUCT = "-//Footing//Reminders//EN"
LENGTH = datetime.timedelta(minutes=15)
ONE_DAY = datetime.timedelta(days=1)
ONE_MINUTE = datetime.timedelta(minutes=1)
# How often a calendar program should look; most choose for themselves.
REFRESH = datetime.timedelta(hours=6)
ONE_WEEK = datetime.timedelta(days=7)
# How many years of clock changes are looked at after the last change of a plan, and written out
# where they follow no rule.
YEARS_OF_CLOCK_CHANGES = 20
# How often clocks must have changed by the same rule before it is taken for one: in so many years
# each of the days on which it can fall has come at least once.
LEAST_CHANGES_OF_A_RULE = 12
Rule = dict[str, object]


@dataclass(frozen=True, slots=True)
class Observance:
    """The time that clocks show from a change on, and the time they showed before."""

    before: datetime.timedelta
    after: datetime.timedelta
    name: str
    daylight: bool


def clock_changes(
    zone: datetime.tzinfo, first: datetime.datetime, last: datetime.datetime
) -> Iterator[tuple[datetime.datetime, Observance]]:
    """Yield each change of a zone's clocks with its instant; the state at the start comes first."""

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
    """Return the clocks of a plan's zone, which was known when the plan was made."""
    return find_zone(name) or datetime.UTC


def tzid_of(name: str) -> str:
    """Name a zone in a calendar: that of an offset must do without a colon."""
    return f"UTC{name.replace(':', '')}" if name.startswith(("+", "-")) else name


def yearly_rule(onsets: Sequence[datetime.datetime]) -> Rule | None:
    """Return the rule by which clocks change once a year; None where there is none."""
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
    """Describe when the clocks of a zone change, so that any program reminds at the same moment.

    By a rule from the year on in which it holds, since some programs read nothing else; date by
    date before that, and in zones that have none. icalendar could make this itself, but its 7.3
    writes the change in spring an hour late and misses changes that last a month, such as
    Morocco's.
    """
    # The year before shows what the clocks were at when the first one began.
    first = datetime.datetime(first_year - 1, 1, 1, tzinfo=datetime.UTC)
    last = datetime.datetime(last_year + 1, 1, 1, tzinfo=datetime.UTC)
    onsets: dict[Observance, list[datetime.datetime]] = {}
    start, *changes = clock_changes(clocks_of(name), first, last)
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
    """Write an observance: by a rule from the onset on that begins one, before that by dates."""
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
    zone = clocks_of(plan.time_zone)
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
        start = datetime.datetime.combine(day, datetime.time.fromisoformat(time))
        event.add("dtstart", start, parameters={"TZID": tzid_of(plan.time_zone)})
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
