"""From cells to what is said: true without noise, honest with it, and silent where it must be."""

import math
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as some

from api.aggregates.estimates import (
    ASSUMED_PAIN_SD,
    FEWEST_SHOWN,
    MARGINS,
    SUPPRESSED,
    UNITS,
    Cell,
    Estimate,
    Noisy,
    PainEstimateRange,
    Quantity,
    Status,
    estimates,
    noisy,
    pain_spread,
    with_common_totals,
)
from api.publications.measures import Statistic, TableName

PAIN_RANGE = PainEstimateRange(-5.0, 3.0)
SCALES = {
    Statistic.PRACTISED: 144,
    Statistic.DOSE_MET: 144,
    Statistic.SCORED: 144,
    Statistic.PAIN: 756,
    Statistic.SESSIONS: 187,
    Statistic.RED_FLAGS: 15,
}
stored = some.integers(-(10**7), 10**7)
cells = some.fixed_dictionaries(
    {
        statistic: some.builds(noisy, some.just(statistic), stored, some.just(scale))
        for statistic, scale in SCALES.items()
    }
)
tables = some.dictionaries(
    some.sampled_from(MARGINS),
    some.dictionaries(some.text("abcdef", min_size=1, max_size=3), cells, min_size=1, max_size=5),
)


def cell(people: int, met: int, scored: int, pain_points: float = 0, sessions: int = 0) -> Cell:
    """Make a cell as people make it, with the noise left out."""
    numbers = {
        Statistic.PRACTISED: 7 * people,
        Statistic.DOSE_MET: 5 * (2 * met - people),
        Statistic.SCORED: 5 * (2 * scored - people),
        Statistic.PAIN: round(10 * (pain_points + 1) * scored),
        Statistic.SESSIONS: sessions,
    }
    return {name: noisy(name, value, SCALES[name]) for name, value in numbers.items()}


def numbers_of(estimate: Estimate) -> list[float | None]:
    return [getattr(estimate, each.name) for each in fields(estimate) if each.name != "status"]


def test_without_noise_the_estimates_are_the_truth() -> None:
    said = estimates(cell(1000, 600, 400, -1.5, 4200), PAIN_RANGE)
    assert {name: round(e.value or 0, 6) for name, e in said.items()} == {
        Quantity.PEOPLE: 1000,
        Quantity.ADHERENCE: 0.6,
        Quantity.SESSIONS: 4200,
        Quantity.PAIN_CHANGE: -1.5,
    }
    assert {e.status for e in said.values()} == {Status.OK}


def test_the_errors_are_those_of_the_method() -> None:
    said = estimates(cell(1000, 600, 400, -1.5, 4200), PAIN_RANGE)
    people = 144 / 7
    assert math.isclose(said[Quantity.PEOPLE].standard_error or 0, people)
    pain = said[Quantity.PAIN_CHANGE]
    scored = math.hypot(144 / 7, 144 / 5) / 2
    assert math.isclose(pain.privacy_error or 0, math.hypot(75.6, 0.5 * scored) / 400)
    assert math.isclose(pain.sampling_error or 0, ASSUMED_PAIN_SD / 20)
    adherence = said[Quantity.ADHERENCE]
    assert math.isclose(adherence.privacy_error or 0, math.hypot(28.8, 0.2 * people) / 2000)
    assert math.isclose(adherence.sampling_error or 0, math.sqrt(0.24 / 1000))


@given(cells)
def test_what_is_suppressed_carries_no_number_at_all(one: Cell) -> None:
    for estimate in estimates(one, PAIN_RANGE).values():
        if estimate.status is Status.SUPPRESSED:
            assert numbers_of(estimate) == [None] * 6
        else:
            assert None not in numbers_of(estimate)


@given(cells)
def test_few_people_are_never_shown(one: Cell) -> None:
    said = estimates(one, PAIN_RANGE)
    people = one[Statistic.PRACTISED]
    enough = people.value >= max(FEWEST_SHOWN, 3 * people.sd)
    for quantity in (Quantity.PEOPLE, Quantity.ADHERENCE, Quantity.SESSIONS):
        assert (said[quantity] == SUPPRESSED) == (not enough)
    scored = (people.value + one[Statistic.SCORED].value) / 2
    if scored < FEWEST_SHOWN:
        assert said[Quantity.PAIN_CHANGE] == SUPPRESSED


def test_the_noise_sets_a_higher_bar_than_eleven() -> None:
    assert estimates(cell(61, 30, 0), PAIN_RANGE)[Quantity.PEOPLE] == SUPPRESSED
    assert estimates(cell(62, 30, 0), PAIN_RANGE)[Quantity.PEOPLE].status is Status.UNSTABLE
    assert estimates(cell(69, 30, 0), PAIN_RANGE)[Quantity.PEOPLE].status is Status.OK
    quiet = {Statistic.RED_FLAGS: Noisy(10, 0.1)}
    assert estimates(quiet, PAIN_RANGE)[Quantity.RED_FLAGS] == SUPPRESSED


@given(cells)
def test_an_interval_holds_its_estimate_and_nothing_impossible(one: Cell) -> None:
    limits = {Quantity.ADHERENCE: (0, 1), Quantity.PAIN_CHANGE: (-5, 3)}
    for quantity, said in estimates(one, PAIN_RANGE).items():
        if said.value is not None and said.lower is not None and said.upper is not None:
            lowest, highest = limits.get(quantity, (0, math.inf))
            assert lowest <= said.lower <= said.value <= said.upper <= highest


@given(tables)
def test_tables_of_a_publication_agree_on_their_totals(
    some_tables: dict[TableName, dict[str, Cell]],
) -> None:
    done = with_common_totals(some_tables)
    for statistic in UNITS:
        totals = [
            math.fsum(one[statistic].value for one in table.values())
            for table in done.values()
            if all(statistic in one for one in table.values())
        ]
        assert all(math.isclose(a, totals[0], rel_tol=1e-9, abs_tol=1e-3) for a in totals)


def test_the_common_total_is_a_weighted_mean_whose_errors_are_stated() -> None:
    """The stated variance is that of the sum of what every cell contributes."""
    sds = {TableName.ROUTINE: [3.0] * 4, TableName.AGE: [2.0] * 9, TableName.REGION: [5.0] * 2}

    def run(moved: tuple[TableName, int] | None) -> dict[TableName, dict[str, Cell]]:
        return with_common_totals(
            {
                name: {
                    str(i): {Statistic.PRACTISED: Noisy(float(moved == (name, i)), sd)}
                    for i, sd in enumerate(each)
                }
                for name, each in sds.items()
            }
        )

    flat = run(None)
    for name, each in sds.items():
        variance = math.fsum(
            run((other, i))[name]["0"][Statistic.PRACTISED].value ** 2 * sd**2
            for other, others in sds.items()
            for i, sd in enumerate(others)
        )
        stated = flat[name]["0"][Statistic.PRACTISED].sd
        assert math.isclose(stated, math.sqrt(variance))
        assert stated < each[0]


def test_one_table_alone_is_left_as_it_is() -> None:
    alone = {TableName.ROUTINE: {"daily": cell(100, 50, 20)}}
    assert with_common_totals(alone) == alone


def test_the_spread_of_pain_is_measured_once_there_are_enough() -> None:
    def year(people: int) -> dict[TableName, dict[str, Cell]]:
        # Half of them -3 points, half of them +1: two from the mean, and from the middle.
        squares = Noisy(people * 4.0, 1.0)
        return {
            TableName.ROUTINE: {"daily": cell(people, 0, people, -1.0)},
            TableName.ALL: {"all": {Statistic.PAIN_SQUARES: squares}},
        }

    assert pain_spread(year(1999)) == ASSUMED_PAIN_SD
    assert math.isclose(pain_spread(year(2000)), 2.0)
    assert pain_spread({}) == ASSUMED_PAIN_SD
