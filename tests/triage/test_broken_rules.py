"""A rule that cannot be evaluated counts as fired, and does not affect other rules."""

import copy
import datetime
from typing import Any

import pytest

from api.content.catalogue import Catalogue
from api.content.rule_set import reviewed_document
from api.triage.evaluation import Case, decide
from api.triage.rules import RuleSet, UnknownEngine, compile_rule_set
from tests.triage.reports import fired_rules, mild_answers, rank

NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
BROKEN = [
    pytest.param({"no_such_operator": [1]}, ["fever"], id="does not compile"),
    pytest.param({"throw": "broken"}, ["fever"], id="errors when evaluated"),
    pytest.param({"/": [1, 0]}, ["fever"], id="divides by zero"),
    pytest.param({"var": "no_such_fact"}, ["no_such_fact"], id="reads what is not there"),
    pytest.param({"===": [{"var": "fever"}]}, ["fever"], id="lacks an operand"),
]


def broken_rule_set(
    catalogue: Catalogue, rule_id: str, condition: Any, reads: list[str]
) -> RuleSet:
    document = copy.deepcopy(reviewed_document(catalogue))
    for rule in document["rules"]:
        if rule["id"] == rule_id:
            rule |= {"condition": condition, "reads": reads}
    return compile_rule_set(document)


def decision_on(rule_set: RuleSet, **changes: Any) -> dict[str, Any]:
    answers = {**mild_answers(rule_set), **changes}
    return decide(rule_set, Case(answers, "en", NOW))[0]


@pytest.mark.parametrize(("condition", "reads"), BROKEN)
@pytest.mark.parametrize(
    ("rule_id", "level"), [("E01", "emergency"), ("U03", "urgent"), ("P01", "see_professional")]
)
def test_a_rule_that_cannot_be_evaluated_gives_at_least_its_own_level(
    catalogue: Catalogue, rule_id: str, level: str, condition: Any, reads: list[str]
) -> None:
    rule_set = broken_rule_set(catalogue, rule_id, condition, reads)
    decision = decision_on(rule_set)
    assert rank(decision["level"]) >= rank(level)
    assert decision["see_professional"] is True
    action = next(rule["action"] for rule in rule_set.document["rules"] if rule["id"] == rule_id)
    assert action in {found["code"] for found in decision["actions"]}


@pytest.mark.parametrize(("condition", "reads"), BROKEN)
def test_a_rule_that_cannot_be_evaluated_silences_no_other(
    catalogue: Catalogue, condition: Any, reads: list[str]
) -> None:
    rule_set = broken_rule_set(catalogue, "P13", condition, reads)
    decision = decision_on(rule_set, saddle_numbness="yes", radiating_pain="left")
    assert decision["level"] == "emergency"
    assert {"E01", "P01"} <= fired_rules(decision)


def test_a_rule_that_fires_before_its_unknown_part_is_evaluated_fires(
    catalogue: Catalogue,
) -> None:
    condition = {"or": [{"var": "saddle_numbness"}, {"var": "no_such_fact"}]}
    reads = ["saddle_numbness", "no_such_fact"]
    decision = decision_on(
        broken_rule_set(catalogue, "E01", condition, reads), saddle_numbness="yes"
    )
    assert decision["reasons"][0]["rule_id"] == "E01"
    assert decision["reasons"][0]["facts"] == ["saddle_numbness"]


@pytest.mark.parametrize(("condition", "reads"), BROKEN)
def test_a_broken_rule_does_not_hide_which_questions_are_open(
    catalogue: Catalogue, condition: Any, reads: list[str]
) -> None:
    rule_set = broken_rule_set(catalogue, "P13", condition, reads)
    decision = decide(rule_set, Case({}, "en", NOW))[0]
    assert decision["screening_complete"] is False
    assert set(rule_set.must_ask) <= {found["question_id"] for found in decision["unanswered"]}


def test_a_rule_set_for_another_engine_is_not_used(catalogue: Catalogue) -> None:
    document = reviewed_document(catalogue) | {"engine": "footing-triage/999"}
    with pytest.raises(UnknownEngine, match="footing-triage/999"):
        compile_rule_set(document)
