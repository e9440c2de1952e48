"""Screens: emergency signs first, few taps for a healthy person, and nothing left out."""

import dataclasses
from typing import Any

import pytest

from api.content.catalogue import Catalogue
from api.triage import checks
from api.triage.evaluation import Case, decide
from api.triage.facts import is_open
from api.triage.rules import RuleSet
from api.triage.screens import confirmation, next_screen
from api.triage.vectors import NOW, PEOPLE, Step, walk

Json = dict[str, Any]
# The level of each person, and the highest number of taps.
THROUGH = {
    "healthy-adult": ("self_care", 16),
    "saddle-numbness": ("emergency", 1),
    "one-sided-leg-pain": ("see_professional", 16),
    "pregnancy-with-bleeding": ("urgent", 16),
    "known-stenosis": ("see_professional", 16),
    "car-crash-8-years-ago": ("see_professional", 16),
    "worried": ("see_professional", 16),
}


def steps(rule_set: RuleSet, person: str) -> list[Step]:
    return list(walk(rule_set, PEOPLE[person]))


def decision_after(rule_set: RuleSet, way: list[Step]) -> Json:
    return decide(rule_set, Case(way[-1].answers, "en", NOW)).document


@pytest.mark.parametrize(("person", "end"), THROUGH.items())
def test_a_person_completes_the_screens_with_few_taps(
    rule_set: RuleSet, person: str, end: tuple[str, int]
) -> None:
    way = steps(rule_set, person)
    decision = decision_after(rule_set, way)
    taps = sum(step.taps for step in way)
    print(f"{person}: {taps} taps over {len(way) - 1} screens, {decision['level']}")  # noqa: T201  # the figures, for `pytest -rP`
    assert (decision["level"], decision["possible_level"]) == (end[0], end[0])
    assert taps <= end[1]
    if end[0] != "emergency":
        assert decision["screening_complete"] is True
        assert decision["unanswered"] == []


def test_every_person_of_the_vectors_is_counted() -> None:
    assert set(THROUGH) == set(PEOPLE)


def test_saddle_numbness_gets_its_answer_on_the_first_screen(rule_set: RuleSet) -> None:
    first, after = steps(rule_set, "saddle-numbness")
    assert first.answers == {}
    assert first.screen is not None
    assert "saddle_numbness" in first.screen["questions"]
    assert after.screen is None


@pytest.mark.parametrize("emergency", ["saddle_numbness", "unsteady_walking", "chest_pain"])
def test_in_an_emergency_no_more_questions_are_asked(rule_set: RuleSet, emergency: str) -> None:
    assert next_screen(rule_set, {emergency: "yes"}) is None


def test_confirming_answers_what_was_not_ticked_and_nothing_else(rule_set: RuleSet) -> None:
    answers: dict[str, int | str | None] = {"radiating_pain": "left"}
    screen = next_screen(rule_set, answers, (), ("nerve_signs", "heart_and_vessels", "the_pain"))
    assert screen is not None
    assert "radiating_pain" not in screen["questions"]
    assert "long_known" in screen["questions"]
    assert confirmation(rule_set, screen) == {
        "leg_numbness": "none",
        "other_numbness": "no",
        "leg_weakness": "none",
        "hand_clumsy_or_numb": "none",
        "cold_pale_foot": "none",
        "long_known": "no",
    }


def test_numbers_are_never_confirmed(rule_set: RuleSet) -> None:
    screen = {"screen_id": "the_pain", "questions": ["pain_score", "weeks", "trend", "age_years"]}
    assert confirmation(rule_set, screen) == {}


def test_skipped_questions_remain_open_and_prevent_an_all_clear(rule_set: RuleSet) -> None:
    first = rule_set.document["screens"][0]["id"]
    answers: dict[str, int | str | None] = dict(steps(rule_set, "healthy-adult")[-1].answers)
    for name in rule_set.document["screens"][0]["questions"]:
        del answers[name]
    assert next_screen(rule_set, answers, (), (first,)) is None
    decision = decide(rule_set, Case(answers, "en", NOW)).document
    assert (decision["level"], decision["possible_level"]) == ("screening_incomplete", "emergency")
    asked = next_screen(rule_set, answers)
    assert asked is not None
    assert asked["screen_id"] == first


@pytest.mark.parametrize("person", PEOPLE)
def test_the_screens_ask_every_open_question_once(rule_set: RuleSet, person: str) -> None:
    way = steps(rule_set, person)
    asked = [step.screen["screen_id"] for step in way if step.screen is not None]
    assert len(set(asked)) == len(asked)
    for step in way:
        for name in step.screen["questions"] if step.screen else ():
            assert is_open(step.answers.get(name))


def test_earlier_reports_count_for_what_is_asked(rule_set: RuleSet) -> None:
    answers = {
        name: answer
        for name, answer in steps(rule_set, "healthy-adult")[-1].answers.items()
        if name != "assessed_before"
    }
    assert next_screen(rule_set, answers) is None
    asked = next_screen(rule_set, answers, ("persistent_in_history",))
    assert asked == {"screen_id": "before", "questions": ["assessed_before"]}


def test_a_screen_has_at_most_7_questions_and_every_question_is_on_one(
    rule_set: RuleSet,
) -> None:
    listed = [name for screen in rule_set.document["screens"] for name in screen["questions"]]
    assert sorted(listed) == sorted(rule_set.questions)
    assert max(len(screen["questions"]) for screen in rule_set.document["screens"]) <= 7


def test_a_question_on_no_screen_or_before_its_condition_is_a_fault(catalogue: Catalogue) -> None:
    first, *others = catalogue.screens
    missing = dataclasses.replace(catalogue, screens=tuple(others))
    faults = list(checks.check_screens(missing))
    assert {fault.file for fault in faults} == {"triage/questions.json"}
    assert len(faults) == len(first.questions)
    turned = dataclasses.replace(catalogue, screens=tuple(reversed(catalogue.screens)))
    messages = [fault.message for fault in checks.check_screens(turned)]
    assert 'is asked before "worried", which decides whether it is' in messages
