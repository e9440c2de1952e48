"""The privacy cost for one participant, added up over every rolling year. Pure."""

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

WINDOW_DAYS = 365
BISECTIONS = 200


@dataclass(frozen=True)
class PeriodCost:
    """The rho of a publication, and the days it covers."""

    starts_on: datetime.date
    after: datetime.date
    rho: float


def most_in_any_window(costs: Iterable[PeriodCost], days: int = WINDOW_DAYS) -> float:
    """Return the highest total cost of publications that touch any window of so many days."""
    every: Sequence[PeriodCost] = list(costs)
    window = datetime.timedelta(days=days)
    one = datetime.timedelta(days=1)
    # The sum only falls when a period leaves: the worst windows begin on some period's last day.
    starts = {cost.after - one for cost in every}
    return max(
        (
            math.fsum(
                each.rho for each in every if each.starts_on < start + window and each.after > start
            )
            for start in starts
        ),
        default=0.0,
    )


def most_touched(period_days: int, days: int = WINDOW_DAYS) -> int:
    """Return how many periods of one kind a window of so many days can touch."""
    return (days - 2) // period_days + 2


def best_guess_percent(rho: float) -> float:
    """Return how often the best guess "was she in it?" is right; chance alone is 50 %.

    For an attacker who knows all other records; for Gaussian noise of this rho.
    """
    return 100 * NormalDist().cdf(math.sqrt(2 * rho) / 2)


def epsilon_of(rho: float, delta: float) -> float:
    """Return epsilon at a delta for a rho that adds up over publications.

    By Canonne, Kamath and Steinke (2020), proposition 12, at the best order; a test compares it
    with OpenDP, which only publishing needs.
    """
    if not rho:
        return 0.0

    def at(log_less_one: float) -> float:
        less_one = math.exp(log_less_one)
        order = 1 + less_one
        spread = -math.log(delta) - log_less_one + order * math.log1p(-1 / order)
        return order * rho + spread / less_one

    low, high = math.log(1e-6), math.log(1e9)
    for _ in range(BISECTIONS):
        third = (high - low) / 3
        if at(low + third) < at(high - third):
            high -= third
        else:
            low += third
    return max(0.0, at((low + high) / 2))
