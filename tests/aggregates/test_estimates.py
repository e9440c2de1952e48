"""From cells to what is said: true without noise, honest with it, and silent where it must be."""

import math
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as some

from api.aggregates.estimates import (
    ASSUMED_PAIN_SD,
    COUNTED_ONCE,
    FEWEST_SHOWN,
    SUPPRESSED,
    UNITS,
    Cell,
    Estimate,
    FigureLimits,
    Noisy,
    Quantity,
    Status,
    estimates,
    noisy,
    pain_spread,
    shown_from_sd,
    with_totals,
)
from api.publications.measures import Statistic, TableName

WEEK = FigureLimits(-5.0, 3.0, session_cap=7, a_year=52)
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
    some.sampled_from(COUNTED_ONCE[:3]),
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
    said = estimates(cell(1000, 600, 400, -1.5, 4200), WEEK)
    assert {name: round(e.value or 0, 6) for name, e in said.items()} == {
        Quantity.PEOPLE: 1000,
        Quantity.ADHERENCE: 0.6,
        Quantity.SESSIONS: 4200,
        Quantity.PAIN_CHANGE: -1.5,
    }
    assert {e.status for e in said.values()} == {Status.OK}


def test_the_errors_are_those_of_the_method() -> None:
    said = estimates(cell(1000, 600, 400, -1.5, 4200), WEEK)
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
    for estimate in estimates(one, WEEK).values():
        if estimate.status is Status.SUPPRESSED:
            assert numbers_of(estimate) == [None] * 6
        else:
            assert None not in numbers_of(estimate)


@given(cells, some.integers(1, 50))
def test_few_people_are_never_shown(one: Cell, how_many: int) -> None:
    said = estimates(one, WEEK, cells=how_many)
    people = one[Statistic.PRACTISED]
    enough = people.value >= max(FEWEST_SHOWN, shown_from_sd(how_many, 52) * people.sd)
    assert (said[Quantity.PEOPLE] == SUPPRESSED) == (not enough)
    if not enough:
        assert {e for name, e in said.items() if name != Quantity.RED_FLAGS} == {SUPPRESSED}
    scored = (people.value + one[Statistic.SCORED].value) / 2
    if scored < FEWEST_SHOWN:
        assert said[Quantity.PAIN_CHANGE] == SUPPRESSED


def test_the_noise_sets_a_higher_bar_than_eleven() -> None:
    # One cell drawn every week: 3.36 standard deviations of 20.6 people.
    assert estimates(cell(69, 30, 0), WEEK)[Quantity.PEOPLE] == SUPPRESSED
    assert estimates(cell(70, 30, 0), WEEK)[Quantity.PEOPLE].status is Status.UNSTABLE
    assert estimates(cell(200, 30, 0), WEEK)[Quantity.PEOPLE].status is Status.OK
    quiet = {Statistic.RED_FLAGS: Noisy(10, 0.1)}
    assert estimates(quiet, WEEK)[Quantity.RED_FLAGS] == SUPPRESSED


def test_the_more_empty_cells_are_drawn_the_higher_is_the_bar() -> None:
    assert round(shown_from_sd(1, 13), 2) == 3.0  # never below three
    assert round(shown_from_sd(1, 52), 2) == 3.36
    assert round(shown_from_sd(36, 13), 2) == 3.93
    assert round(shown_from_sd(40, 52), 2) == 4.27


def test_a_figure_of_few_is_not_divided_by_them() -> None:
    """So few people may well be none: they are counted, and nothing is said of their share."""
    said = estimates(cell(72, 40, 70, -1.5, 300), WEEK)
    assert said[Quantity.PEOPLE].lower == 0
    assert said[Quantity.ADHERENCE] == said[Quantity.PAIN_CHANGE] == SUPPRESSED


def test_sessions_pass_by_their_own_error_and_fit_to_the_people() -> None:
    week = cell(150, 40, 0, sessions=400)
    assert estimates(week, WEEK)[Quantity.SESSIONS] == SUPPRESSED  # 3 times 187 is 561
    said = estimates(cell(150, 40, 0, sessions=5000), WEEK)[Quantity.SESSIONS]
    assert said.value == 150 * 7
    many = cell(5000, 40, 0, sessions=4990)
    assert estimates(many, WEEK)[Quantity.SESSIONS].value == 5000


def test_a_share_or_mean_with_too_large_an_error_says_nothing() -> None:
    few = {**cell(400, 100, 60, -1.5), Statistic.DOSE_MET: Noisy(0, 130)}
    said = estimates(few, WEEK)
    assert said[Quantity.PEOPLE].status is Status.OK
    assert said[Quantity.ADHERENCE] == SUPPRESSED
    assert said[Quantity.PAIN_CHANGE] == SUPPRESSED


@given(cells)
def test_an_interval_holds_its_estimate_and_nothing_impossible(one: Cell) -> None:
    limits = {Quantity.ADHERENCE: (0, 1), Quantity.PAIN_CHANGE: (-5, 3)}
    for quantity, said in estimates(one, WEEK).items():
        if said.value is not None and said.lower is not None and said.upper is not None:
            lowest, highest = limits.get(quantity, (0, math.inf))
            assert lowest <= said.lower <= said.value <= said.upper <= highest


@given(tables)
def test_tables_of_a_publication_agree_on_their_totals(
    some_tables: dict[TableName, dict[str, Cell]],
) -> None:
    done = with_totals(some_tables)
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
        return with_totals(
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


def test_one_table_alone_is_left_as_it_is_and_added_up() -> None:
    alone = {TableName.ROUTINE: {"daily": cell(100, 50, 20), "own": cell(30, 10, 5)}}
    done = with_totals(alone)
    assert done[TableName.ROUTINE] == alone[TableName.ROUTINE]
    total = done[TableName.ALL]["all"]
    assert total[Statistic.PRACTISED].value == 130
    assert math.isclose(total[Statistic.PRACTISED].sd, math.sqrt(2) * 144 / 7)


def test_the_total_counts_each_person_once_however_many_tables_there_are() -> None:
    """It is the best mean of the tables' sums, with cells that are not shown one by one."""
    done = with_totals(
        {
            TableName.ROUTINE: {"daily": {Statistic.PRACTISED: Noisy(100, 3)}},
            TableName.AGE: {str(i): {Statistic.PRACTISED: Noisy(10, 2)} for i in range(9)},
            TableName.RED_FLAG_RULE: {
                f"R{i}": {Statistic.RED_FLAGS: Noisy(1, 4)} for i in range(9)
            },
            TableName.ALL: {"all": {Statistic.PAIN_SQUARES: Noisy(7, 1)}},
        }
    )
    total = done[TableName.ALL]["all"]
    assert math.isclose(total[Statistic.PRACTISED].value, (100 / 9 + 90 / 36) / (1 / 9 + 1 / 36))
    assert math.isclose(total[Statistic.PRACTISED].sd, math.sqrt(1 / (1 / 9 + 1 / 36)))
    assert total[Statistic.RED_FLAGS] == Noisy(9, 12)
    assert total[Statistic.PAIN_SQUARES] == Noisy(7, 1)


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
