"""Progress: sums over the records, by the person's own dates. Pure.

Everything is computed from sets of records, regardless of the order in which they arrived: late
uploads lead to the same figures.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Literal

from api.core.dates import monday_of
from api.core.zones import find_zone

NO_TIME = datetime.timedelta()
ONE_MINUTE = datetime.timedelta(minutes=1)
ONE_DAY = datetime.timedelta(days=1)
WEEK = datetime.timedelta(days=7)
WEEKS_SHOWN = 12
# A longer session was probably left running: its hours must not count as exercise.
LONGEST_SESSION = datetime.timedelta(hours=2)
# The smallest change that matters for low back pain: 2 points of 10, or 30 % of the baseline
# (Ostelo 2008). A baseline below 2 cannot fall by 2, which is why either is enough.
IMPORTANT_POINTS = 2
IMPORTANT_PERCENT = 30
PainStatus = Literal["improved", "worse", "no_important_change", "not_enough_data"]


@dataclass(frozen=True, slots=True)
class Practised:
    """A session that counts, and the time of it that counts."""

    local_date: datetime.date
    started_at: datetime.datetime
    ended_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Active:
    """A date with sessions in one time zone, and when the first of them began."""

    local_date: datetime.date
    time_zone: str
    first_started_at: datetime.datetime


@dataclass(slots=True)
class _Day:
    """A date with sessions, in any time zones."""

    first_started_at: datetime.datetime
    time_zones: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Total:
    """The sums of the sessions of a date."""

    sessions: int = 0
    time: datetime.timedelta = NO_TIME


@dataclass(frozen=True, slots=True)
class Score:
    """A pain score (0 to 10) on one of the person's own dates."""

    local_date: datetime.date
    pain: int


@dataclass(frozen=True, slots=True)
class Week:
    """One week from Monday to Sunday."""

    starts_on: datetime.date
    sessions: int
    active_days: int
    minutes: int
    planned_days: int
    # None if nothing was planned.
    adherence_percent: int | None


@dataclass(frozen=True, slots=True)
class PainTrend:
    """The first seven days with scores against the last seven days, in tenths of a point."""

    status: PainStatus
    baseline_tenths: int | None
    current_tenths: int | None
    change_tenths: int | None
    change_percent: int | None


def practised(
    local_date: datetime.date,
    started_at: datetime.datetime,
    ended_at: datetime.datetime,
    item_seconds: int | None,
) -> Practised:
    """Return how long a session was; one that was left running, by its items only."""
    lasted = ended_at - started_at
    if lasted > LONGEST_SESSION:
        lasted = min(lasted, datetime.timedelta(seconds=item_seconds or 0), ONE_DAY)
    return Practised(local_date, started_at, started_at + lasted)


def _follows(
    earlier: datetime.date, day: datetime.date, active: Mapping[datetime.date, _Day]
) -> bool:
    """Return whether one active day directly follows another.

    Flying west over the date line skips a date that the person never lived through: by the zone
    that they left, they practised on the day after.
    """
    if day - earlier == ONE_DAY:
        return True
    if day - earlier != 2 * ONE_DAY:
        return False
    first = active[day].first_started_at
    zones = map(find_zone, active[earlier].time_zones)
    return any(zone and first.astimezone(zone).date() - earlier <= ONE_DAY for zone in zones)


def streak(
    active: Iterable[Active], today: datetime.date, still_today: datetime.date
) -> list[datetime.date]:
    """Return the days in a row up to today, or up to yesterday while today is still open.

    `today` is the latest date that the person may have now, and `still_today` the earliest: after
    flying west a day lasts longer. Dates after today come from clocks that are ahead, and count as
    today.
    """
    days: dict[datetime.date, _Day] = {}
    for entry in active:
        day = days.setdefault(min(entry.local_date, today), _Day(entry.first_started_at))
        day.first_started_at = min(day.first_started_at, entry.first_started_at)
        day.time_zones.add(entry.time_zone)
    newest, *older = sorted(days, reverse=True) or [datetime.date.min]
    if newest < still_today - ONE_DAY:
        return []
    in_a_row = [newest]
    for earlier in older:
        if not _follows(earlier, in_a_row[-1], days):
            break
        in_a_row.append(earlier)
    return in_a_row


def is_broken(newest_first: Sequence[Active], today: datetime.date) -> bool:
    """Return whether a streak ends within these dates."""
    return any(
        min(later.local_date, today) - earlier.local_date > 2 * ONE_DAY
        for later, earlier in pairwise(newest_first)
    )


def add_up(sessions: Iterable[Practised]) -> dict[datetime.date, Total]:
    """Add up sessions by date. Time under more than one of them counts once, for the earliest."""
    totals: dict[datetime.date, Total] = {}
    covered = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    for session in sorted(sessions, key=attrgetter("started_at", "ended_at", "local_date")):
        total = totals.setdefault(session.local_date, Total())
        total.sessions += 1
        total.time += max(session.ended_at - max(session.started_at, covered), NO_TIME)
        covered = max(covered, session.ended_at)
    return totals


def weeks(
    totals: Mapping[datetime.date, Total],
    today: datetime.date,
    *,
    is_planned: Callable[[datetime.date], bool],
) -> list[Week]:
    """Return the last weeks, newest first; the current one is measured by its days so far.

    A planned day may be made up for on another day of its week.
    """
    this_monday = monday_of(today)
    made = []
    for number in range(WEEKS_SHOWN):
        monday = this_monday - number * WEEK
        days = [monday + day * ONE_DAY for day in range(7)]
        of_week = [totals[day] for day in days if day in totals]
        active = len(of_week)
        due = sum(is_planned(day) for day in days if day <= today)
        made.append(
            Week(
                starts_on=monday,
                sessions=sum(total.sessions for total in of_week),
                active_days=active,
                minutes=sum((total.time for total in of_week), start=NO_TIME) // ONE_MINUTE,
                planned_days=due,
                adherence_percent=min(100, 100 * active // due) if due else None,
            )
        )
    return made


def _mean_tenths(scores: Sequence[Score]) -> int:
    """Return the mean in tenths of a point, halves rounded up, in whole numbers throughout."""
    total = sum(score.pain for score in scores)
    return (20 * total + len(scores)) // (2 * len(scores))


def pain_trend(
    first_scores: Sequence[Score], recent_scores: Sequence[Score], today: datetime.date
) -> PainTrend:
    """Compare the first seven days that have scores with the last seven days."""
    if not first_scores:
        return PainTrend("not_enough_data", None, None, None, None)
    start = min(score.local_date for score in first_scores)
    baseline_end = start + WEEK
    early = [score for score in first_scores if score.local_date < baseline_end]
    late = [
        score
        for score in recent_scores
        if score.local_date > today - WEEK and score.local_date >= baseline_end
    ]
    baseline = _mean_tenths(early)
    if not late:
        return PainTrend("not_enough_data", baseline, None, None, None)
    current = _mean_tenths(late)
    change = current - baseline
    percent = None if baseline == 0 else abs(change) * 100 // baseline * (1 if change > 0 else -1)
    important = abs(change) >= IMPORTANT_POINTS * 10 or (
        abs(change) * 100 >= IMPORTANT_PERCENT * baseline and baseline > 0
    )
    status: PainStatus = "no_important_change"
    if important and change:
        status = "improved" if change < 0 else "worse"
    return PainTrend(status, baseline, current, change, percent)
