"""What is shown of small groups: no phantoms, and intervals that hold for the figures shown.

Simulated with the noise and the cells of the standard policy.
"""

import math
import random
import statistics
from collections.abc import Iterator

import pytest

from api.aggregates.estimates import (
    Cell,
    Estimate,
    FigureLimits,
    Noisy,
    Quantity,
    Status,
    estimates,
    noisy,
    shown_from_sd,
)
from api.core.config import SEED_FOLDER
from api.publications.measures import Measure, Statistic, TableName
from api.publications.policy import read_policy

POLICY = read_policy(SEED_FOLDER, "standard")
CYCLE = FigureLimits(-5.0, 3.0, session_cap=28, a_year=365 / 28)
RULES = 36
ROUTINES = 12
SHOWN = 1500


def scale(table: TableName, measure: Measure) -> int:
    found = next(each for each in POLICY.period("cycle").tables if each.table == table)
    return next(each.scale for each in found.measures if each.measure == measure)


RED_FLAGS_SD = float(scale(TableName.RED_FLAG_RULE, Measure.RED_FLAGS))


def drawn(cell: dict[Statistic, float], seed: int) -> Iterator[Cell]:
    """Publish the same group again and again."""
    draw = random.Random(seed)
    scales = {
        Statistic.PRACTISED: scale(TableName.ROUTINE, Measure.PEOPLE),
        Statistic.DOSE_MET: scale(TableName.ROUTINE, Measure.PEOPLE),
        Statistic.SCORED: scale(TableName.ROUTINE, Measure.PEOPLE),
        Statistic.PAIN: scale(TableName.ROUTINE, Measure.PAIN),
        Statistic.SESSIONS: scale(TableName.ROUTINE, Measure.SESSIONS),
        Statistic.RED_FLAGS: RED_FLAGS_SD,
    }
    while True:
        yield {
            name: noisy(name, round(draw.gauss(value, scales[name])), int(scales[name]))
            for name, value in cell.items()
        }


def group(people: int) -> dict[Statistic, float]:
    """Return the exact numbers of a group: 60 % met the dose, half scored, -1.5 points, 15 each."""
    return {
        Statistic.PRACTISED: 7 * people,
        Statistic.DOSE_MET: 5 * 0.2 * people,
        Statistic.SCORED: 0,
        Statistic.PAIN: 10 * (-1.5 + 1) * people / 2,
        Statistic.SESSIONS: 15 * people,
    }


def shown(
    cell: dict[Statistic, float], quantity: Quantity, cells: int, seed: int, draws: int
) -> list[Estimate]:
    source = drawn(cell, seed)
    said = (estimates(next(source), CYCLE, cells=cells)[quantity] for _ in range(draws))
    return [each for each in said if each.status is not Status.SUPPRESSED]


def test_a_table_shows_a_phantom_in_one_year_of_fifty() -> None:
    """Every rule's true number is zero: what is shown then is a phantom."""
    chance = math.erfc(shown_from_sd(RULES, CYCLE.a_year) / math.sqrt(2)) / 2
    assert RULES * CYCLE.a_year * chance <= 0.02 * (1 + 1e-9)
    years = 20
    draws = round(RULES * CYCLE.a_year * years)
    assert len(shown({Statistic.RED_FLAGS: 0}, Quantity.RED_FLAGS, RULES, 1, draws)) <= 3
    # It is a chance, and not never: with one cell alone that passes at three there are some.
    assert shown({Statistic.RED_FLAGS: 0}, Quantity.RED_FLAGS, 1, 2, 10 * draws)


@pytest.mark.parametrize("sds", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 12.0])
def test_the_interval_of_a_shown_count_holds_whatever_its_true_size(sds: float) -> None:
    """Drawn given that it is shown: a figure that is hardly ever shown holds as well when it is."""
    sd, bar = RED_FLAGS_SD, shown_from_sd(RULES, CYCLE.a_year)
    normal = statistics.NormalDist()
    draw = random.Random(f"count {sds}")
    least = normal.cdf(bar - sds)
    held = 0
    for _ in range(SHOWN):
        value = sds + normal.inv_cdf(min(least + (1 - least) * draw.random(), 1 - 1e-15))
        cell = {Statistic.RED_FLAGS: Noisy(max(value, bar) * sd, sd)}
        said = estimates(cell, CYCLE, cells=RULES)[Quantity.RED_FLAGS]
        assert said.lower is not None
        assert said.upper is not None
        held += said.lower <= sds * sd <= said.upper
    assert held / SHOWN >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / SHOWN)


@pytest.mark.parametrize("people", [60, 80, 100, 150, 300, 1000])
def test_shares_means_and_sessions_hold_as_well_when_they_are_shown(people: int) -> None:
    truth = {
        Quantity.ADHERENCE: 0.6,
        Quantity.PAIN_CHANGE: -1.5,
        Quantity.SESSIONS: 15 * people,
        Quantity.PEOPLE: people,
    }
    for quantity, value in truth.items():
        said = shown(group(people), quantity, ROUTINES, people, SHOWN)
        if len(said) < 30:
            continue
        held = statistics.fmean(
            each.lower <= value <= each.upper
            for each in said
            if each.lower is not None and each.upper is not None
        )
        assert held >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / len(said)), (quantity, held, len(said))


def test_at_first_only_the_count_is_said_and_with_more_people_everything() -> None:
    few = drawn(group(75), 5)
    many = drawn(group(2000), 6)
    assert {
        quantity
        for _ in range(200)
        for quantity, said in estimates(next(many), CYCLE, cells=ROUTINES).items()
        if said.status is Status.OK
    } == {Quantity.PEOPLE, Quantity.ADHERENCE, Quantity.PAIN_CHANGE, Quantity.SESSIONS}
    said = [estimates(next(few), CYCLE, cells=ROUTINES) for _ in range(200)]
    assert not any(each[Quantity.PAIN_CHANGE].status is Status.OK for each in said)
