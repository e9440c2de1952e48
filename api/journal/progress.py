"""Progress: what the records add up to, by the person's own dates. Pure.

Everything is counted from sets of records, never from the order in which they arrived: late uploads
end in the same figures.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

ONE_DAY = datetime.timedelta(days=1)
WEEK = datetime.timedelta(days=7)
WEEKS_SHOWN = 12
# A forgotten stop button must not count as hours of exercise.
LONGEST_SESSION = datetime.timedelta(hours=2)
# The smallest change that matters for low back pain: 2 points of 10, or 30 % of the baseline
# (Ostelo 2008). A baseline below 2 can't fall by 2, which is why either will do.
IMPORTANT_POINTS = 2
IMPORTANT_PERCENT = 30
PainStatus = Literal["improved", "worse", "no_important_change", "not_enough_data"]


@dataclass(frozen=True, slots=True)
class Practised:
    """A session that counts: completed or partial, and not replaced by a correction."""

    local_date: datetime.date
    duration: datetime.timedelta


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
    # None where nothing was planned.
    adherence_percent: int | None


@dataclass(frozen=True, slots=True)
class PainTrend:
    """The first seven days with scores against the last seven days, in tenths of a point."""

    status: PainStatus
    baseline_tenths: int | None
    current_tenths: int | None
    change_tenths: int | None
    change_percent: int | None


def monday_of(date: datetime.date) -> datetime.date:
    """Return the Monday of a date's week."""
    return date - datetime.timedelta(days=date.weekday())


def streak(active_dates: Iterable[datetime.date], today: datetime.date) -> int:
    """Count the days in a row up to today, or up to yesterday while today is still open.

    Dates after today count as today: a traveller's own date can be a day ahead.
    """
    days = {min(date, today) for date in active_dates}
    day = today if today in days else today - ONE_DAY
    count = 0
    while day in days:
        count += 1
        day -= ONE_DAY
    return count


def weeks(
    sessions: Sequence[Practised],
    today: datetime.date,
    *,
    is_planned: Callable[[datetime.date], bool],
) -> list[Week]:
    """Return the last weeks, newest first; the running one is measured by its days so far.

    A planned day may be made up for on another day of its week.
    """
    this_monday = monday_of(today)
    made = []
    for number in range(WEEKS_SHOWN):
        monday = this_monday - number * WEEK
        of_week = [session for session in sessions if monday_of(session.local_date) == monday]
        active = len({session.local_date for session in of_week})
        days = [monday + day * ONE_DAY for day in range(7)]
        due = sum(is_planned(day) for day in days if day <= today)
        spent = sum(
            (min(session.duration, LONGEST_SESSION) for session in of_week),
            start=datetime.timedelta(),
        )
        made.append(
            Week(
                starts_on=monday,
                sessions=len(of_week),
                active_days=active,
                minutes=int(spent.total_seconds()) // 60,
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
