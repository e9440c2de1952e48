"""The cube: whole numbers, equal on both databases, changed by no one beyond the bound."""

import datetime
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import CTE, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.publications import cube
from api.publications.cube import Exact
from api.publications.measures import EVERYBODY, PERSONALISED, Statistic, TableName
from api.publications.periods import Period
from api.publications.policy import PublicationPolicy, TablePolicy
from tests.core.stored import in_database
from tests.publications import reference
from tests.publications.population import (
    KEYS,
    MONDAY,
    PILOT,
    STANDARD,
    Person,
    at,
    extremes,
    period_of,
    random_person,
)
from tests.publications.privacy_tests import mutants
from tests.publications.sensitivity import broken, worst_distances
from tests.support import databases

DAY = datetime.timedelta(days=1)
KINDS = [(STANDARD, "week"), (STANDARD, "cycle"), (PILOT, "week"), (PILOT, "quarter")]


def tables_of(policy: PublicationPolicy, kind: str) -> list[TablePolicy]:
    return policy.period(kind).tables


async def store(db: AsyncSession, people: list[Person]) -> None:
    for person in people:
        await person.store(db)


def computed(
    url: str, people: list[Person], policy: PublicationPolicy = STANDARD, kind: str = "week"
) -> dict[TableName, Exact]:
    """Store people and compute a period of theirs."""

    async def work(db: AsyncSession) -> dict[TableName, Exact]:
        await store(db, people)
        return {
            table.table: await cube.compute(db, period_of(policy, kind), policy, table, KEYS)
            for table in tables_of(policy, kind)
        }

    return in_database(url, work)


def practised(url: str, *people: Person) -> int:
    """Count who is in the week."""
    found = computed(url, list(people))[TableName.ROUTINE]
    return sum(n for (_, statistic), n in found.items() if statistic == Statistic.PRACTISED) // 7


@pytest.mark.parametrize(
    ("policy", "kind"), KINDS, ids=lambda value: getattr(value, "profile", value)
)
def test_the_statement_agrees_with_plain_python(
    database_url: str, policy: PublicationPolicy, kind: str
) -> None:
    chance = random.Random(f"{policy.profile} {kind}")
    people = [*(random_person(chance) for _ in range(150)), *extremes()]
    found = computed(database_url, people, policy, kind)
    for table in tables_of(policy, kind):
        expected = reference.cube(people, period_of(policy, kind), policy, table, KEYS)
        assert found[table.table] == expected, table.table
        assert any(expected.values())


def test_both_databases_return_identical_numbers(templates: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    people = [random_person(chance) for _ in range(200)]
    found = []
    for kind in databases.KINDS:
        with databases.fresh_database(kind, templates, tmp_path) as url:
            found.append(computed(url, people))
            values = [n for exact in computed(url, []).values() for n in exact.values()]
            assert {type(value) for value in values} == {int}
    assert found[0] == found[1]


def test_no_participant_changes_a_table_beyond_the_bound_of_the_noise(
    database_url: str,
) -> None:
    worst = worst_distances(database_url, trials=12)
    assert not broken(worst)
    # A participant reaches the bound: a bound that is never reached would be no test.
    assert {place for place, (far, bound) in worst.items() if far < 0.9 * bound**2} == set()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("mutant", "caught"),
    [("no session cap", {"sessions"}), ("no clamp", {"pain", "pain_squares"})],
)
def test_a_policy_without_a_cap_is_caught(database_url: str, mutant: str, caught: set[str]) -> None:
    assert broken(worst_distances(database_url, trials=0, policies=[mutants()[mutant]])) == caught


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_statement_that_counts_a_person_in_several_routines_is_caught(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_every_routine(period: Period, policy: PublicationPolicy, routines: Sequence[str]) -> CTE:
        rows = cube._counted_sessions(period, policy, routines)
        best = (rows.c.sessions * 1000 + 999 - rows.c.routine).label("best")
        return select(
            rows.c.participant_id, rows.c.sessions, rows.c.scored, rows.c.change, best
        ).cte("people")

    monkeypatch.setattr(cube, "_people", in_every_routine)
    assert {"people", "pain"} <= broken(
        worst_distances(database_url, trials=0, policies=[STANDARD])
    )


def test_it_makes_no_difference_to_others_who_else_is_there(database_url: str) -> None:
    """A correction, a refusal or a region of one person does not change the cells of others."""
    someone = Person(region="north")
    someone.session()
    refuser = Person(region="south", consents=[(True, at(MONDAY)), (False, at(MONDAY, 13))])
    first = refuser.session()
    refuser.session(replaces=first)
    assert practised(database_url, someone, refuser) == 1


# Who and what counts.


def test_consent_after_the_close_is_too_late_and_withdrawn_consent_excludes(
    database_url: str,
) -> None:
    """However long after the close the figures are computed."""
    later = period_of(STANDARD, "cycle").closes_at(STANDARD.grace_days)
    early = Person()
    too_late = Person(consents=[(False, at(MONDAY)), (True, later + DAY)])
    taken_back = Person(consents=[(True, at(MONDAY)), (False, later + DAY)])
    for person in (early, too_late, taken_back):
        person.session()
        person.report()
    people = [early, too_late, taken_back]
    found = computed(database_url, people, kind="cycle")
    assert sum(found[TableName.RED_FLAG_RULE].values()) == 1
    assert practised(database_url) == 1


def test_only_the_newest_consent_counts(database_url: str) -> None:
    taken_back = Person(consents=[(True, at(MONDAY)), (False, at(MONDAY, 13))])
    given_later = Person(consents=[(False, at(MONDAY)), (True, at(MONDAY, 13))])
    both_at_once = Person(consents=[(True, at(MONDAY)), (False, at(MONDAY))])
    no_more_storage = Person(storage=False)
    for person in (taken_back, given_later, both_at_once, no_more_storage):
        person.session()
    assert practised(database_url, taken_back, both_at_once, no_more_storage) == 0
    assert practised(database_url, given_later) == 1


def test_partial_sessions_count_and_abandoned_ones_do_not(database_url: str) -> None:
    partial, abandoned = Person(), Person()
    partial.session(status="partial")
    abandoned.session(status="abandoned")
    assert practised(database_url, partial, abandoned) == 1


def test_a_correction_takes_the_place_of_what_it_corrects(database_url: str) -> None:
    person = Person()
    wrong = person.session(before=1, after=10)
    person.session(before=5, after=4, replaces=wrong, received=at(MONDAY + 2 * DAY))
    found = computed(database_url, [person])[TableName.ROUTINE]
    assert found["daily", Statistic.SESSIONS] == 1
    assert found["daily", Statistic.PAIN] == -10 + 10


def test_a_session_that_two_devices_have_corrected_counts_once(database_url: str) -> None:
    person = Person()
    first = person.session()
    watch = person.session(replaces=first)
    person.session(replaces=first)
    person.session(replaces=watch)
    found = computed(database_url, [person])[TableName.ROUTINE]
    assert found["daily", Statistic.SESSIONS] == 1


def test_a_second_correction_that_comes_after_the_close_counts_nowhere(database_url: str) -> None:
    """Of the two, the first had counted when the period was closed, whichever id is greater."""
    people = [Person() for _ in range(4)]
    for person in people:
        first = person.session()
        person.session(replaces=first)
        person.session(replaces=first, received=at(MONDAY + 30 * DAY))
    assert practised(database_url, *people) == 4


def test_a_correction_that_comes_after_the_close_counts_nowhere(database_url: str) -> None:
    person = Person()
    first = person.session(MONDAY - 21 * DAY)
    person.session(MONDAY - 21 * DAY, replaces=first, received=at(MONDAY + DAY))
    assert practised(database_url, person) == 0


def test_who_gives_no_scores_has_no_change_of_pain(database_url: str) -> None:
    """PostgreSQL's LEAST would skip the NULL and make +3 points of it."""
    silent, half = Person(), Person()
    silent.session(before=None, after=None)
    half.session(before=9, after=None)
    found = computed(database_url, [silent, half])[TableName.ROUTINE]
    assert found["daily", Statistic.PRACTISED] == 2 * 7
    assert found["daily", Statistic.SCORED] == 2 * -5
    assert found["daily", Statistic.PAIN] == 0


def test_a_mean_is_rounded_and_not_cut(database_url: str) -> None:
    """Cutting would bias every mean of several sessions by a part of a tenth."""
    person = Person()
    for after in (4, 4, 5):  # the mean is -2/3, in tenths -6.67
        person.session(before=5, after=after)
    found = computed(database_url, [person])[TableName.ROUTINE]
    assert found["daily", Statistic.PAIN] == -7 + 10


def test_the_routine_with_most_sessions_is_the_one_and_of_equals_the_first(
    database_url: str,
) -> None:
    mostly, equal, own = Person(), Person(), Person()
    for routine in ("exercises", "massage", "massage"):
        mostly.session(routine=routine)
    for routine in ("massage", "exercises"):
        equal.session(routine=routine)
    for written in (None, "for-one-patient"):
        own.session(routine=written)
    found = computed(database_url, [mostly, equal, own])[TableName.ROUTINE]
    there = {key for (key, statistic), n in found.items() if n and statistic == "practised"}
    assert there == {"massage", "exercises", PERSONALISED}
    assert found["massage", Statistic.SESSIONS] == 3


@pytest.mark.parametrize(
    ("day", "received", "counts"),
    [
        (MONDAY, MONDAY + 20 * DAY, True),  # within the grace of its own week
        (MONDAY, MONDAY + 21 * DAY, False),  # later: in the week it arrives in
        (MONDAY - 21 * DAY, MONDAY, True),  # that is this one
        (MONDAY - 21 * DAY, MONDAY - DAY, False),  # counted in its own
        (MONDAY - 50 * DAY, MONDAY + 6 * DAY, True),  # 56 days old
        (MONDAY - 51 * DAY, MONDAY + 6 * DAY, False),  # 57
        (MONDAY + 6 * DAY, MONDAY + 5 * DAY, True),  # a device ahead of the server's date
    ],
)
def test_a_late_session_counts_once_in_the_open_week_it_arrives_in(
    database_url: str,
    day: datetime.date,
    received: datetime.date,
    counts: bool,  # noqa: FBT001
) -> None:
    person = Person()
    person.session(day, received=at(received, 23))
    assert practised(database_url, person) == counts


def test_a_red_flag_counts_once_a_cycle_under_its_most_severe_rule(database_url: str) -> None:
    alarmed, other, mild = Person(), Person(), Person()
    alarmed.report(level="urgent", fired=["U01"])
    alarmed.report(MONDAY + 20 * DAY, level="emergency", fired=["U01", "E01"])
    other.report(level="urgent", fired=["U-of-another-rule-set"])
    mild.report(level="see_professional", fired=["P01"])
    people = [alarmed, other, mild]
    found = computed(database_url, people, STANDARD, "cycle")[TableName.RED_FLAG_RULE]
    assert found == {
        ("E01", Statistic.RED_FLAGS): 1,
        ("U01", Statistic.RED_FLAGS): 0,
        ("other", Statistic.RED_FLAGS): 1,
    }


def test_a_red_flag_without_any_rule_is_a_red_flag(database_url: str) -> None:
    """A rule that could not be evaluated raises the level and does not fire."""
    person = Person()
    person.report(level="emergency", fired=[])
    found = computed(database_url, [person], PILOT, "quarter")[TableName.RED_FLAG]
    assert found == {(EVERYBODY, Statistic.RED_FLAGS): 1}


def test_every_key_has_its_cell_even_without_participants(database_url: str) -> None:
    found = computed(database_url, [], STANDARD, "cycle")
    assert {key for key, _ in found[TableName.ROUTINE]} == {*KEYS.routines, PERSONALISED}
    assert {key for key, _ in found[TableName.REGION]} == {"north", "south", "unknown"}
    assert {key for key, _ in found[TableName.AGE]} == set(STANDARD.age_bands)
    assert not any(n for exact in found.values() for n in exact.values())
