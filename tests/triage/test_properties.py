"""Properties of the decision on any report, tested with Hypothesis."""

import datetime
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.content.loading import load_catalogue
from api.content.rule_set import reviewed_document
from api.core.canonical import canonical
from api.core.config import SEED_FOLDER
from api.triage.evaluation import Case, decide, judge_report, level_of
from api.triage.facts import derive, is_open
from api.triage.rules import compile_rule_set
from tests.support.budget import budget
from tests.triage.reports import mild_answers, rank

pytestmark = pytest.mark.fuzz

RULE_SET = compile_rule_set(reviewed_document(load_catalogue(SEED_FOLDER)))
NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
Answers = dict[str, int | str | None]

# From the mildest answer to the worst; two in one group are worse in different ways.
YES_IS_WORSE = (("no",), ("yes",))
SEVERITY: dict[str, tuple[tuple[str, ...], ...]] = {
    "trend": (("better",), ("same",), ("worse",)),
    "radiating_pain": (("none",), ("left", "right"), ("both",)),
    "leg_numbness": (("none",), ("left", "right"), ("both",)),
    "leg_weakness": (("none",), ("left", "right"), ("both",)),
    "trauma": (("none",), ("minor",), ("major",)),
    "hand_clumsy_or_numb": (("none",), ("left", "right"), ("both",)),
    "cold_pale_foot": (("none",), ("left", "right"), ("both",)),
    # The last three are worse in different ways.
    "pain_region": (("lower_back", "other"), ("foot", "middle_back", "upper_back")),
    "pregnant": (("cannot_be",), ("no",), ("yes",)),
    "pregnancy_bleeding": (("no",), ("a_little",), ("yes",)),
    # Long known is milder.
    "long_known": (("yes",), ("no",)),
    # Assessed before is milder.
    "assessed_before": (("yes",), ("no",)),
}
NUMBERS = {"pain_score": (0, 10), "weeks": (0, 5200), "age_years": (0, 120)}
# On both sides of every possible bound of a rule.
STEPS: dict[str, list[int | str]] = {
    "pain_score": list(range(11)),
    "weeks": [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 52, 5200],
    "age_years": [0, 5, 6, 17, 18, 49, 50, 69, 70, 120],
}
# More years are worse for one rule and milder for another.
WORSENS = [name for name in RULE_SET.questions if name != "age_years"]


def severity(question: str) -> tuple[tuple[str, ...], ...]:
    return SEVERITY.get(question, YES_IS_WORSE)


def an_answer(question: str) -> st.SearchStrategy[int | str | None]:
    if question in NUMBERS:
        low, high = NUMBERS[question]
        # Most rules depend on small numbers, which are rare in the whole range.
        return st.none() | st.integers(low, min(high, 15)) | st.integers(low, high)
    choices = [choice["id"] for choice in RULE_SET.questions[question]["choices"]]
    return st.none() | st.sampled_from(choices)


def worse_than(question: str, answer: int | str | None) -> list[int | str]:
    """Return the worse answers; for an open question, only the worst."""
    if question in NUMBERS:
        high = NUMBERS[question][1]
        if answer is None:
            return [high]
        low = int(answer)
        return sorted({*range(low + 1, min(high, low + 15) + 1), high} - {low})
    grades = severity(question)
    if is_open(answer):
        return list(grades[-1])
    assert answer is not None
    place = grade_of(question, answer)
    return [choice for grade in grades[place + 1 :] for choice in grade]


def grade_of(question: str, answer: int | str) -> int:
    """Return how bad an answer is; answers of the same grade are worse in different ways."""
    if question in NUMBERS:
        return int(answer)
    return next(index for index, grade in enumerate(severity(question)) if answer in grade)


MILD = mild_answers(RULE_SET)
ANY_REPORT = st.fixed_dictionaries({name: an_answer(name) for name in RULE_SET.questions})
# A few answers that are not mild, so that single symptoms decide.
FEW_SYMPTOMS = st.dictionaries(
    st.sampled_from(list(RULE_SET.questions)), st.none(), max_size=5
).flatmap(
    lambda chosen: st.fixed_dictionaries(
        {
            name: an_answer(name) if name in chosen else st.just(MILD[name])
            for name in RULE_SET.questions
        }
    )
)
REPORTS = ANY_REPORT | FEW_SYMPTOMS
# All pairs of a question and an answer to another one.
ONE_IN = budget(quick=5, full=1)


def decision_on(answers: Mapping[str, int | str | None]) -> dict[str, Any]:
    return decide(RULE_SET, Case(answers, "en", NOW))[0]


def known_stable(answers: Answers) -> bool:
    facts = derive(RULE_SET.document["facts"], answers, (), RULE_SET.asked_if)
    return facts.certain["known_stable"]


def some_answers(question: str) -> list[int | str]:
    """Return the answers that rules distinguish, from the mildest to the worst."""
    if question in NUMBERS:
        return STEPS[question]
    choices = {choice["id"] for choice in RULE_SET.questions[question]["choices"]}
    return [choice for grade in severity(question) for choice in grade if choice in choices]


def level_on(answers: Answers) -> int:
    return rank(level_of(RULE_SET, judge_report(RULE_SET, answers)))


def test_with_any_other_answers_a_worse_answer_never_lowers_the_level() -> None:
    pairs = [
        (other, answer, name)
        for other in RULE_SET.questions
        for answer in (None, *some_answers(other))
        for name in WORSENS
        if name != other
    ]
    compared = 0
    for other, answer, name in pairs[::ONE_IN]:
        base = {**MILD, other: answer}
        levels = [level_on({**base, name: worse}) for worse in some_answers(name)]
        places = [grade_of(name, worse) for worse in some_answers(name)]
        for lower, higher in pairwise(range(len(levels))):
            if places[lower] < places[higher]:
                place = f"{name} beside {other}={answer}"
                assert levels[lower] <= levels[higher], place
                compared += 1
    assert compared > 5000 // ONE_IN


@settings(max_examples=budget(quick=30, full=300), database=None)
@given(data=st.data())
def test_a_worse_answer_never_lowers_the_level(data: st.DataObject) -> None:
    before: Answers = data.draw(REPORTS)
    can_worsen = [name for name in WORSENS if worse_than(name, before[name])]
    if not can_worsen:
        return
    changed = data.draw(st.lists(st.sampled_from(can_worsen), min_size=1, max_size=4, unique=True))
    after = dict(before)
    for name in changed:
        after[name] = data.draw(st.sampled_from(worse_than(name, before[name])))
    if known_stable(after) and not known_stable(before):
        # The one exception: long known and not worse is milder than new.
        return
    assert rank(decision_on(after)["level"]) >= rank(decision_on(before)["level"])


@settings(max_examples=budget(quick=20, full=200), database=None)
@given(before=REPORTS, data=st.data())
def test_no_answer_to_an_open_question_exceeds_the_possible_level(
    before: Answers, data: st.DataObject
) -> None:
    decision = decision_on(before)
    open_names = [name for name, answer in before.items() if is_open(answer)]
    after = {**before, **{name: data.draw(an_answer(name)) for name in open_names}}
    assert rank(decision_on(after)["level"]) <= max(
        rank(decision["possible_level"]), rank("screening_incomplete")
    )
    listed = {found["question_id"] for found in decision["unanswered"]}
    raised = rank(decision_on(after)["level"]) > rank(decision["level"])
    assert not raised or any(after[name] != before[name] for name in listed)


@settings(max_examples=budget(quick=15, full=150), database=None)
@given(answers=REPORTS, data=st.data())
def test_an_omitted_must_ask_question_never_gives_self_care(
    answers: Answers, data: st.DataObject
) -> None:
    left_out = data.draw(st.sets(st.sampled_from(RULE_SET.must_ask), min_size=1))
    for name in left_out:
        answers = {**answers, name: None}
    decision = decision_on(answers)
    asked = left_out - judge_report(RULE_SET, answers).facts.closed
    assert asked <= {found["question_id"] for found in decision["unanswered"]}
    if asked:
        assert decision["level"] != "self_care"
        assert decision["screening_complete"] is False


@settings(max_examples=budget(quick=30, full=300), database=None)
@given(answers=REPORTS)
def test_only_questions_that_are_not_asked_count_as_answered_mildly(
    answers: Answers,
) -> None:
    facts = judge_report(RULE_SET, answers).facts
    for name, condition in RULE_SET.asked_if.items():
        asked = not is_open(answers[name]) or facts.possible[condition.fact]
        assert (name in facts.closed) is not asked
    closed = {name: RULE_SET.asked_if[name].closed for name in facts.closed}
    mildly = judge_report(RULE_SET, {**answers, **closed})
    assert (mildly.facts.certain, mildly.facts.possible) == (facts.certain, facts.possible)
    assert decision_on({**answers, **closed}) == decision_on(answers)


@settings(max_examples=budget(quick=20, full=200), database=None)
@given(answers=REPORTS, data=st.data())
def test_the_order_of_answers_and_the_way_to_omit_one_make_no_difference(
    answers: Answers, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(answers.items()))))
    for name in [name for name, answer in shuffled.items() if is_open(answer)]:
        written = data.draw(st.sampled_from(["absent", "null", "unknown"]))
        if written == "absent":
            del shuffled[name]
        else:
            shuffled[name] = None if written == "null" else "unknown"
    assert canonical(decision_on(shuffled)) == canonical(decision_on(answers))


@settings(max_examples=budget(quick=30, full=300), database=None)
@given(answers=REPORTS)
def test_a_decision_is_consistent(answers: Answers) -> None:
    decision = decision_on(answers)
    level, possible = rank(decision["level"]), rank(decision["possible_level"])
    assert possible >= level
    assert decision["see_professional"] is (level >= rank("see_professional"))
    fired = [rank(reason["level"]) for reason in decision["reasons"]]
    assert fired == sorted(fired, reverse=True)
    floor = rank("self_care") if decision["screening_complete"] else rank("screening_incomplete")
    assert level == max([floor, *fired])
    if level >= rank("urgent"):
        assert decision["activities"]["status"] == "stop"
    first = RULE_SET.document["phrases"]["answer_first"]["en"]
    assert (first in decision["notices"]) is (possible > level)
    assert json.loads(canonical(decision)) == decision
