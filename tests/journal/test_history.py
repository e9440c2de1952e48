"""History facts do not depend on the order in which reports arrive."""

import datetime
import itertools
import uuid
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from api.journal.history import PAIN_RISEN, PERSISTENT, Episode, PastReport, Timeline, in_order

DAY_ONE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def history_facts(
    reports: Iterable[PastReport],
) -> Iterator[tuple[PastReport, tuple[str, ...]]]:
    """Go through all reports, oldest first."""
    episode = Episode()
    for report in in_order(reports):
        yield report, episode.facts_of(report)
        episode = episode.after(report)


def past(day: int, pain: int | None, number: int = 0) -> PastReport:
    return PastReport(uuid.UUID(int=number), DAY_ONE + datetime.timedelta(days=day), pain)


def facts_by_day(*reports: PastReport) -> dict[int, tuple[str, ...]]:
    return {(report.reported_at - DAY_ONE).days: facts for report, facts in history_facts(reports)}


def test_a_first_report_has_no_history() -> None:
    assert facts_by_day(past(0, 5)) == {0: ()}


def test_pain_reported_over_six_weeks_apart_is_persistent() -> None:
    assert facts_by_day(past(0, 5), past(42, 5), past(43, 5)) == {0: (), 42: (), 43: (PERSISTENT,)}


def test_a_pain_free_report_in_between_starts_a_new_episode() -> None:
    assert facts_by_day(past(0, 5), past(20, 0), past(50, 5))[50] == ()


def test_a_report_without_a_score_is_not_pain_free() -> None:
    assert facts_by_day(past(0, None), past(20, None), past(50, None))[50] == (PERSISTENT,)


def test_a_rise_of_two_points_over_the_first_score_counts() -> None:
    facts = facts_by_day(past(0, 3), past(1, 4), past(2, 5), past(3, 2))
    assert facts == {0: (), 1: (), 2: (PAIN_RISEN,), 3: ()}


reports = st.lists(
    st.tuples(st.integers(0, 120), st.none() | st.integers(0, 10)), min_size=1, max_size=7
)


@given(reports, st.randoms())
def test_the_order_of_arrival_does_not_matter(
    drawn: list[tuple[int, int | None]], random: object
) -> None:
    made = [past(day, pain, number) for number, (day, pain) in enumerate(drawn)]
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis hands in a Random
    assert list(history_facts(made)) == list(history_facts(shuffled))


@given(reports, st.integers(0, 120))
def test_another_painful_report_never_takes_persistence_away(
    drawn: list[tuple[int, int | None]], day: int
) -> None:
    made = [past(at, pain, number) for number, (at, pain) in enumerate(drawn)]
    before = dict(history_facts(made))
    after = dict(history_facts([*made, past(day, 5, 99)]))
    for report, facts in before.items():
        assert (PERSISTENT in facts) <= (PERSISTENT in after[report])


def test_every_order_of_four_reports_gives_the_same_facts() -> None:
    made = [past(0, 4, 1), past(30, 0, 2), past(60, 3, 3), past(110, 6, 4)]
    outcomes = {tuple(history_facts(order)) for order in itertools.permutations(made)}
    assert len(outcomes) == 1
    assert dict(next(iter(outcomes)))[made[3]] == (PERSISTENT, PAIN_RISEN)


@given(reports, st.randoms())
def test_a_timeline_that_grows_in_any_order_says_what_the_whole_does(
    drawn: list[tuple[int, int | None]], random: object
) -> None:
    made = [past(day, pain, number) for number, (day, pain) in enumerate(drawn)]
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis hands in a Random
    timeline = Timeline(shuffled[:2])
    for report in shuffled[2:]:
        timeline.add(report)
    for report, facts in history_facts(made):
        assert timeline.episode_before(report).facts_of(report) == facts
