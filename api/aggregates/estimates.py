"""From noisy numbers to figures: estimate, error, interval and status. Pure.

Everything is computed from published cells, so that reading costs no privacy, however often.
docs/clinicians.md explains the method.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from api.publications.measures import (
    DOSE_MET_WEIGHT,
    EVERYBODY,
    PAIN_LEVEL_MIDDLE,
    PRACTISED_WEIGHT,
    SCORED_WEIGHT,
    Statistic,
    TableName,
)

NORMAL_95 = 1.96
# Smaller counts are never shown, however small the noise.
FEWEST_SHOWN = 11
# A figure is shown from this many standard deviations of its own noise on, at least.
SHOWN_FROM_SD = 3
# How often a year a table may show a number for a group that is truly empty.
PHANTOMS_A_YEAR = 0.02
UNSTABLE_FROM_RSE = 0.30
# Shares and means are divided by the number of people: by how much that may be too high.
LEAST_SURE_SHARE = 0.5
# Beyond these errors a share, or a mean change in points, says nothing: its interval is as wide as
# 60 percentage points, or as the important change of two points to either side.
MOST_SHARE_ERROR = 0.15
MOST_PAIN_ERROR = 1.0
# A mean change lies around zero, where a relative error says nothing; this is half of the change
# of two points that counts as important to a person.
UNSTABLE_FROM_POINTS = 1.0
# The spread of changes between people, in points, as long as there are too few to measure it.
ASSUMED_PAIN_SD = 1.6
FEWEST_FOR_SPREAD = 2000
# The spread of levels between people, in points.
ASSUMED_LEVEL_SD = 2.2
# A float holds the chance of a normal number that lies up to 38 standard deviations off.
MOST_SD = 35
BISECTIONS = 50


class Status(StrEnum):
    """Whether a number is shown, and how far to trust it."""

    OK = "ok"
    UNSTABLE = "unstable"
    SUPPRESSED = "suppressed"
    NOT_RELEASED = "not_released"


class Quantity(StrEnum):
    """A figure of a cell."""

    PEOPLE = "people"
    ADHERENCE = "adherence"
    PAIN_CHANGE = "pain_change"
    SESSIONS = "sessions"
    RED_FLAGS = "red_flags"
    PAIN_LEVEL = "pain_level"


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty, or no number: suppressed is not zero."""

    status: Status
    value: float | None = None
    # The total error and its two parts: sampling and noise.
    standard_error: float | None = None
    sampling_error: float | None = None
    privacy_error: float | None = None
    lower: float | None = None
    upper: float | None = None


SUPPRESSED = Estimate(Status.SUPPRESSED)
NOT_RELEASED = Estimate(Status.NOT_RELEASED)


@dataclass(frozen=True)
class Noisy:
    """A published number in the unit of what it means, with the standard deviation of its noise."""

    value: float
    sd: float


@dataclass(frozen=True)
class FigureLimits:
    """What the policy makes possible, and how often it draws noise."""

    # The range that a mean change of pain is clamped to, in points.
    lowest_pain: float
    highest_pain: float
    # Sessions of one participant that count in a period, at most.
    session_cap: int
    # Publications of this kind of period in a year.
    a_year: float

    @property
    def middle_of_pain(self) -> float:
        """What a contribution is counted from, in points."""
        return (self.lowest_pain + self.highest_pain) / 2


# The divisors that turn stored numbers into people, sessions or points.
UNITS: Mapping[Statistic, float] = {
    Statistic.PRACTISED: PRACTISED_WEIGHT,
    Statistic.DOSE_MET: DOSE_MET_WEIGHT,
    Statistic.SCORED: SCORED_WEIGHT,
    Statistic.PAIN: 10,
    Statistic.SESSIONS: 1,
    Statistic.RED_FLAGS: 1,
    Statistic.PAIN_SQUARES: 100,
    Statistic.PAIN_LEVEL: 10,
}
# The cells of each table count every participant once, so that all tables have one total. So do
# those of red flags, among the people with one.
COUNTED_ONCE = (
    TableName.ROUTINE,
    TableName.AGE,
    TableName.REGION,
    TableName.TENURE,
    TableName.RED_FLAG_RULE,
    TableName.RED_FLAG,
)
Cell = Mapping[Statistic, Noisy]


def noisy(statistic: Statistic, stored: int, scale: int) -> Noisy:
    """Read a stored number."""
    unit = UNITS[statistic]
    return Noisy(stored / unit, scale / unit)


def with_totals(
    tables: Mapping[TableName, Mapping[str, Cell]],
) -> dict[TableName, dict[str, Cell]]:
    """Add the total of each statistic under `all`, and bring every table to it.

    The total is the precision-weighted mean of the tables' totals, cells that are not shown one by
    one included. Each cell of a table moves by the same share. It only helps: no cell's noise grows
    by it.
    """
    result: dict[TableName, dict[str, Cell]] = {
        name: {key: dict(cell) for key, cell in cells.items()} for name, cells in tables.items()
    }
    everybody: dict[Statistic, Noisy] = {}
    for statistic in UNITS:
        tables_with_it = {
            name: [cell[statistic] for cell in tables[name].values()]
            for name in COUNTED_ONCE
            if tables.get(name) and all(statistic in cell for cell in tables[name].values())
        }
        if not tables_with_it:
            continue
        totals = {
            name: math.fsum(cell.value for cell in cells) for name, cells in tables_with_it.items()
        }
        variances = {
            name: math.fsum(cell.sd**2 for cell in cells) for name, cells in tables_with_it.items()
        }
        variance = 1 / math.fsum(1 / each for each in variances.values())
        total = variance * math.fsum(totals[name] / variances[name] for name in tables_with_it)
        everybody[statistic] = Noisy(total, math.sqrt(variance))
        for name, cells in tables_with_it.items():
            shift = (total - totals[name]) / len(cells)
            less = (variances[name] - variance) / len(cells) ** 2
            for key, cell in tables[name].items():
                old = cell[statistic]
                new = Noisy(old.value + shift, math.sqrt(old.sd**2 - less))
                result[name][key] = {**result[name][key], statistic: new}
    if everybody:
        own = result.get(TableName.ALL, {}).get(EVERYBODY, {})
        result[TableName.ALL] = {EVERYBODY: {**own, **everybody}}
    return result


def shown_from_sd(cells: int, a_year: float) -> float:
    """Return from how many standard deviations on a cell of people is shown.

    So that so many empty cells, drawn so often, show a phantom in at most one year of fifty.
    """
    chance = min(PHANTOMS_A_YEAR / (cells * a_year), 0.5)
    return max(SHOWN_FROM_SD, -NormalDist().inv_cdf(chance))


def _above(number: float) -> float:
    """Return the chance that a standard normal number is above this one."""
    return math.erfc(number / math.sqrt(2)) / 2


def _lower_given_shown(value: float, sd: float, shown_from: float) -> float:
    """Return the lower end of the interval of a count, given that it was shown.

    It is the count that would be shown, and as high as this one, only in 2.5 % of the cases in
    which it is shown at all. Far above the bar that is the usual one; just above it, it is zero.
    """
    chance = (1 - 0.95) / 2

    def too_low(count: float) -> bool:
        return _above((value - count) / sd) < chance * _above((shown_from - count) / sd)

    # Further below, the probabilities underflow: such a value is just above the threshold.
    low, high = max(0.0, value - MOST_SD * sd), value
    if not too_low(low):
        return 0.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return low


def _interval(
    value: float,
    sampling: float,
    privacy: float,
    *,
    lowest: float,
    highest: float,
    unstable_points: float | None = None,
) -> Estimate:
    """Make an estimate, clamped to possible values; the error remains that of the raw value."""
    error = math.hypot(sampling, privacy)
    if unstable_points is None:
        unstable = error > UNSTABLE_FROM_RSE * abs(value)
    else:
        unstable = NORMAL_95 * error > unstable_points

    def possible(number: float) -> float:
        return min(max(number, lowest), highest)

    return Estimate(
        Status.UNSTABLE if unstable else Status.OK,
        possible(value),
        error,
        sampling,
        privacy,
        possible(value - NORMAL_95 * error),
        possible(value + NORMAL_95 * error),
    )


@dataclass(frozen=True)
class _CountFigure:
    """A count, from where on it is shown, and its interval given that it is."""

    noisy: Noisy
    shown_from: float

    @property
    def shown(self) -> bool:
        return self.noisy.value >= self.shown_from

    @property
    def sure(self) -> bool:
        """Whether it is shown, and at least half as many are sure to be there."""
        return self.shown and self.lower >= LEAST_SURE_SHARE * self.noisy.value

    @property
    def lower(self) -> float:
        return _lower_given_shown(self.noisy.value, self.noisy.sd, self.shown_from)

    @property
    def upper(self) -> float:
        # Having been shown makes a count too high, never too low: the usual end holds.
        return self.noisy.value + NORMAL_95 * self.noisy.sd

    def estimate(self) -> Estimate:
        """Return the count with its interval."""
        if not self.shown:
            return SUPPRESSED
        return _counted(self.noisy.value, self.noisy.sd, self.lower, self.upper)

    def times(self, sessions: "_CountFigure", cap: int) -> Estimate:
        """Return the sessions of these people: each has at least one, and so many count at most."""
        if not (self.shown and sessions.shown):
            return SUPPRESSED
        count = self.noisy.value
        value = min(max(sessions.noisy.value, count), cap * count)
        lower = min(max(sessions.lower, self.lower), value)
        upper = max(min(sessions.upper, cap * self.upper), value)
        return _counted(value, sessions.noisy.sd, lower, upper)


def _counted(value: float, sd: float, lower: float, upper: float) -> Estimate:
    unstable = max(sd, (value - lower) / NORMAL_95) > UNSTABLE_FROM_RSE * value
    status = Status.UNSTABLE if unstable else Status.OK
    return Estimate(status, value, sd, 0.0, sd, lower, upper)


def _count(count: Noisy, least_sd: float) -> _CountFigure:
    return _CountFigure(count, max(FEWEST_SHOWN, least_sd * count.sd))


def _half(people: Noisy, contrast: Noisy) -> Noisy:
    """Return the number of yes: half the sum of all and "yes minus no"."""
    return Noisy((people.value + contrast.value) / 2, math.hypot(people.sd, contrast.sd) / 2)


def _adherence(people: Noisy, contrast: Noisy) -> Estimate:
    """Return the share that met the dose; its noise is that of the contrast, and a little more."""
    lean = contrast.value / people.value
    share = min(max((1 + lean) / 2, 0), 1)
    sampling = math.sqrt(share * (1 - share) / people.value)
    privacy = math.hypot(contrast.sd, lean * people.sd) / (2 * people.value)
    if math.hypot(sampling, privacy) > MOST_SHARE_ERROR:
        return SUPPRESSED
    return _interval((1 + lean) / 2, sampling, privacy, lowest=0, highest=1)


@dataclass(frozen=True)
class _PainScale:
    """What a mean in points is counted from, and what it can be."""

    middle: float
    lowest: float
    highest: float


def _mean_pain(total: Noisy, scored: Noisy, scale: _PainScale, spread: float) -> Estimate:
    """Return a mean in points over those who scored."""
    from_middle = total.value / scored.value
    sampling = spread / math.sqrt(scored.value)
    privacy = math.hypot(total.sd, from_middle * scored.sd) / scored.value
    if math.hypot(sampling, privacy) > MOST_PAIN_ERROR:
        return SUPPRESSED
    return _interval(
        scale.middle + from_middle,
        sampling,
        privacy,
        lowest=scale.lowest,
        highest=scale.highest,
        unstable_points=UNSTABLE_FROM_POINTS,
    )


def _of_pain(
    cell: Cell, people: _CountFigure, limits: FigureLimits, spread: float
) -> Iterator[tuple[Quantity, Estimate]]:
    """Yield the means of a cell: the change (below zero is less pain), and the level before."""
    change = _PainScale(limits.middle_of_pain, limits.lowest_pain, limits.highest_pain)
    middle = PAIN_LEVEL_MIDDLE / UNITS[Statistic.PAIN_LEVEL]
    level = _PainScale(middle, 0, 2 * middle)
    scored = _count(_half(people.noisy, cell[Statistic.SCORED]), SHOWN_FROM_SD)
    for quantity, statistic, scale, between in (
        (Quantity.PAIN_CHANGE, Statistic.PAIN, change, spread),
        (Quantity.PAIN_LEVEL, Statistic.PAIN_LEVEL, level, ASSUMED_LEVEL_SD),
    ):
        if statistic in cell:
            yield (
                quantity,
                _mean_pain(cell[statistic], scored.noisy, scale, between)
                if people.sure and scored.sure
                else SUPPRESSED,
            )


def pain_spread(tables: Mapping[TableName, Mapping[str, Cell]]) -> float:
    """Return the standard deviation of changes between people, measured where there are enough."""
    squares = [
        cell[Statistic.PAIN_SQUARES]
        for cell in tables.get(TableName.ALL, {}).values()
        if Statistic.PAIN_SQUARES in cell
    ]
    cells = tables.get(TableName.ROUTINE, {}).values()
    scored = math.fsum(
        _half(cell[Statistic.PRACTISED], cell[Statistic.SCORED]).value for cell in cells
    )
    if not squares or scored < FEWEST_FOR_SPREAD:
        return ASSUMED_PAIN_SD
    mean = math.fsum(cell[Statistic.PAIN].value for cell in cells) / scored
    variance = squares[0].value / scored - mean**2
    return math.sqrt(variance) if variance > 0 else ASSUMED_PAIN_SD


def estimates(
    cell: Cell, limits: FigureLimits, spread: float = ASSUMED_PAIN_SD, *, cells: int = 1
) -> dict[Quantity, Estimate]:
    """Return the estimates of one cell of a table with this many cells, or their suppression.

    Every figure passes by its own error: people, sessions and red flags by that of their count,
    shares and means also by that of the people whom they are about.
    """
    found: dict[Quantity, Estimate] = {}
    least_sd = shown_from_sd(cells, limits.a_year)
    if Statistic.PRACTISED in cell:
        people = _count(cell[Statistic.PRACTISED], least_sd)
        found[Quantity.PEOPLE] = people.estimate()
        found[Quantity.ADHERENCE] = (
            _adherence(people.noisy, cell[Statistic.DOSE_MET]) if people.sure else SUPPRESSED
        )
        if Statistic.SESSIONS in cell:
            # The people keep phantoms out.
            sessions = _count(cell[Statistic.SESSIONS], SHOWN_FROM_SD)
            found[Quantity.SESSIONS] = people.times(sessions, limits.session_cap)
        found |= dict(_of_pain(cell, people, limits, spread))
    if Statistic.RED_FLAGS in cell:
        found[Quantity.RED_FLAGS] = _count(cell[Statistic.RED_FLAGS], least_sd).estimate()
    return found


def quantities(statistics: Iterable[Statistic], limits: FigureLimits) -> tuple[Quantity, ...]:
    """Return the figures that can be derived from these statistics."""
    return tuple(estimates(dict.fromkeys(statistics, Noisy(0, 1)), limits))
