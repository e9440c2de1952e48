"""From noisy numbers to figures: estimate, error, interval and status. Pure.

Everything is computed from published cells, so that reading costs no privacy, however often.
docs/clinicians.md explains the method.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from api.publications.measures import (
    DOSE_MET_WEIGHT,
    PRACTISED_WEIGHT,
    SCORED_WEIGHT,
    Statistic,
    TableName,
)

NORMAL_95 = 1.96
# Smaller counts are never shown, however small the noise.
FEWEST_SHOWN = 11
# A figure is shown from this many standard deviations of its noise on.
SHOWN_FROM_SD = 3
UNSTABLE_FROM_RSE = 0.30
# A mean change lies around zero, where a relative error says nothing; this is half of the change
# of two points that counts as important to a person.
UNSTABLE_FROM_POINTS = 1.0
# The spread of changes between people, in points, as long as there are too few to measure it.
ASSUMED_PAIN_SD = 1.6
FEWEST_FOR_SPREAD = 2000


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
class PainEstimateRange:
    """The range that the policy clamps a mean change of pain to, in points."""

    lowest: float
    highest: float

    @property
    def middle(self) -> float:
        """What a contribution is counted from."""
        return (self.lowest + self.highest) / 2


# The divisors that turn stored numbers into people, sessions or points.
UNITS: Mapping[Statistic, float] = {
    Statistic.PRACTISED: PRACTISED_WEIGHT,
    Statistic.DOSE_MET: DOSE_MET_WEIGHT,
    Statistic.SCORED: SCORED_WEIGHT,
    Statistic.PAIN: 10,
    Statistic.SESSIONS: 1,
    Statistic.RED_FLAGS: 1,
    Statistic.PAIN_SQUARES: 100,
}
# The cells of each table count every participant once, so that all tables have one total.
MARGINS = (TableName.ROUTINE, TableName.AGE, TableName.REGION)
Cell = Mapping[Statistic, Noisy]


def noisy(statistic: Statistic, stored: int, scale: int) -> Noisy:
    """Read a stored number."""
    unit = UNITS[statistic]
    return Noisy(stored / unit, scale / unit)


def with_common_totals(
    tables: Mapping[TableName, Mapping[str, Cell]],
) -> dict[TableName, dict[str, Cell]]:
    """Bring the totals of a publication's tables to one best total, each cell by the same share.

    The total is the precision-weighted mean of the tables' totals. It only helps: no cell's noise
    grows by it.
    """
    result: dict[TableName, dict[str, Cell]] = {
        name: {key: dict(cell) for key, cell in cells.items()} for name, cells in tables.items()
    }
    for statistic in UNITS:
        margins = {
            name: [cell[statistic] for cell in tables[name].values()]
            for name in MARGINS
            if name in tables and all(statistic in cell for cell in tables[name].values())
        }
        margins = {name: cells for name, cells in margins.items() if cells}
        if len(margins) < 2:  # noqa: PLR2004  # one table has nothing to agree with
            continue
        totals = {name: math.fsum(cell.value for cell in cells) for name, cells in margins.items()}
        variances = {
            name: math.fsum(cell.sd**2 for cell in cells) for name, cells in margins.items()
        }
        variance = 1 / math.fsum(1 / each for each in variances.values())
        total = variance * math.fsum(totals[name] / variances[name] for name in margins)
        for name, cells in margins.items():
            shift = (total - totals[name]) / len(cells)
            less = (variances[name] - variance) / len(cells) ** 2
            for key, cell in tables[name].items():
                old = cell[statistic]
                new = Noisy(old.value + shift, math.sqrt(old.sd**2 - less))
                result[name][key] = {**result[name][key], statistic: new}
    return result


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


def _enough(count: Noisy) -> bool:
    return count.value >= max(FEWEST_SHOWN, SHOWN_FROM_SD * count.sd)


def _count(count: Noisy, *, shown: bool) -> Estimate:
    if not shown:
        return SUPPRESSED
    return _interval(count.value, 0, count.sd, lowest=0, highest=math.inf)


def _half(people: Noisy, contrast: Noisy) -> Noisy:
    """Return the number of yes: half the sum of all and "yes minus no"."""
    return Noisy((people.value + contrast.value) / 2, math.hypot(people.sd, contrast.sd) / 2)


def _adherence(people: Noisy, contrast: Noisy) -> Estimate:
    """Return the share that met the dose; its noise is that of the contrast, and a little more."""
    lean = contrast.value / people.value
    share = min(max((1 + lean) / 2, 0), 1)
    sampling = math.sqrt(share * (1 - share) / people.value)
    privacy = math.hypot(contrast.sd, lean * people.sd) / (2 * people.value)
    return _interval((1 + lean) / 2, sampling, privacy, lowest=0, highest=1)


def _pain_change(
    total: Noisy, scored: Noisy, pain_range: PainEstimateRange, spread: float
) -> Estimate:
    """Return the mean change over those who scored; below zero is less pain."""
    if not _enough(scored):
        return SUPPRESSED
    from_middle = total.value / scored.value
    sampling = spread / math.sqrt(scored.value)
    privacy = math.hypot(total.sd, from_middle * scored.sd) / scored.value
    return _interval(
        pain_range.middle + from_middle,
        sampling,
        privacy,
        lowest=pain_range.lowest,
        highest=pain_range.highest,
        unstable_points=UNSTABLE_FROM_POINTS,
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
    cell: Cell, pain_range: PainEstimateRange, spread: float = ASSUMED_PAIN_SD
) -> dict[Quantity, Estimate]:
    """Return the estimate of one figure of a cell, or its suppression."""
    found: dict[Quantity, Estimate] = {}
    if Statistic.PRACTISED in cell:
        people = cell[Statistic.PRACTISED]
        shown = _enough(people)
        found[Quantity.PEOPLE] = _count(people, shown=shown)
        found[Quantity.ADHERENCE] = (
            _adherence(people, cell[Statistic.DOSE_MET]) if shown else SUPPRESSED
        )
        if Statistic.SESSIONS in cell:
            found[Quantity.SESSIONS] = _count(cell[Statistic.SESSIONS], shown=shown)
        if Statistic.PAIN in cell:
            scored = _half(people, cell[Statistic.SCORED])
            found[Quantity.PAIN_CHANGE] = _pain_change(
                cell[Statistic.PAIN], scored, pain_range, spread
            )
    if Statistic.RED_FLAGS in cell:
        flags = cell[Statistic.RED_FLAGS]
        found[Quantity.RED_FLAGS] = _count(flags, shown=_enough(flags))
    return found


def quantities(
    statistics: Iterable[Statistic], pain_range: PainEstimateRange
) -> tuple[Quantity, ...]:
    """Return the figures that can be derived from these statistics."""
    return tuple(estimates(dict.fromkeys(statistics, Noisy(0, 1)), pain_range))
