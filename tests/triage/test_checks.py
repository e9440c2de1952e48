"""A faulty rule set is not seeded: each fault is listed with file and place."""

import dataclasses
from typing import Any

import pytest

from api.content.catalogue import Catalogue
from api.content.loading import SeedFault
from api.content.seed import RuleExample
from api.triage import checks

FACTS = "triage/facts.json"
RULES = "triage/rules.json"


def faults(catalogue: Catalogue) -> list[SeedFault]:
    return [fault for check in checks.ALL for fault in check(catalogue)]


def with_rule(catalogue: Catalogue, rule_id: str, **changes: Any) -> tuple[Catalogue, int]:
    """Change one rule; return its place."""
    index = [rule.id for rule in catalogue.rules].index(rule_id)
    rules = list(catalogue.rules)
    rules[index] = rules[index].model_copy(update=changes)
    return dataclasses.replace(catalogue, rules=tuple(rules)), index


def with_fact(catalogue: Catalogue, fact_id: str, **changes: Any) -> tuple[Catalogue, int]:
    index = [fact.id for fact in catalogue.facts].index(fact_id)
    facts = list(catalogue.facts)
    facts[index] = facts[index].model_copy(update=changes)
    return dataclasses.replace(catalogue, facts=tuple(facts)), index


def test_the_seeded_rule_set_has_no_fault(catalogue: Catalogue) -> None:
    assert faults(catalogue) == []
    assert len(catalogue.rules) > 40


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (
            {"condition": {"!": {"var": "fever"}}},
            "/condition",
            "uses the operator",
        ),
        ({"condition": {"if": [{"var": "fever"}, False, True]}}, "/condition", "uses the operator"),
        (
            {"condition": {"===": [{"var": "fever"}, False]}},
            "/condition",
            "is not monotone: a worse answer could stop it from firing",
        ),
        (
            {"condition": {"var": "fevre"}, "reads": ["fevre"]},
            "/condition",
            'reads "fevre", which is neither a fact',
        ),
        ({"condition": {"var": []}}, "/condition", 'reads "[]"'),
        ({"condition": {"var": 1}}, "/condition", 'reads "1"'),
        ({"condition": {"===": [{"var": "fever"}]}}, "/condition", "does not evaluate"),
        ({"condition": True}, "/condition", "must be one operator with its operands"),
        ({"condition": {}}, "/condition", "must be one operator with its operands"),
        ({"reads": ["fever", "worried"]}, "/reads", '"worried" must be in reads and'),
        ({"reads": []}, "/reads", '"fever" must be in reads and'),
        (
            {"examples": [RuleExample(answers={"fever": "yes"}, fires=True)] * 2},
            "/examples",
            "needs one that must fire and one that must not",
        ),
    ],
)
def test_a_faulty_rule_is_named(
    catalogue: Catalogue, changes: dict[str, Any], place: str, message: str
) -> None:
    broken, index = with_rule(catalogue, "U02a", **changes)
    found = [fault for fault in faults(broken) if fault.file == RULES]
    assert (RULES, f"/{index}{place}") in {(fault.file, fault.pointer) for fault in found}
    assert any(message in fault.message for fault in found)


@pytest.mark.parametrize(
    ("answers", "fires", "place", "message"),
    [
        ({"fever": "no"}, True, "", "U02a does not fire, against its example"),
        ({"fever": "yes"}, False, "", "U02a fires, against its example"),
        ({"headache": "yes"}, False, "/answers", '"headache" is not a question'),
        ({"fever": "left"}, False, "/answers", '"fever" has no choice "left"'),
        ({"fever": 1}, False, "/answers", '"fever" has no choice "1"'),
        (
            {"pain_score": "bad"},
            False,
            "/answers",
            '"pain_score" needs a whole number as its answer',
        ),
    ],
)
def test_a_rule_that_contradicts_its_example_is_named(
    catalogue: Catalogue, answers: dict[str, int | str], place: str, message: str, *, fires: bool
) -> None:
    good = [
        RuleExample(answers={"fever": "yes"}, fires=True),
        RuleExample(answers={"fever": "no"}, fires=False),
    ]
    examples = [*good, RuleExample(answers=answers, fires=fires)]
    broken, index = with_rule(catalogue, "U02a", examples=examples)
    assert faults(broken) == [SeedFault(RULES, f"/{index}/examples/2{place}", message)]


@pytest.mark.parametrize(
    ("fact_id", "changes", "message"),
    [
        ("fever", {"questions": []}, "a fact of kind answer reads questions"),
        ("fever", {"questions": ["fever", "worried"]}, "reads one question"),
        ("fever", {"choices": []}, "only facts of the kind answer have choices"),
        ("fever", {"choices": ["maybe"]}, 'the question "fever" has no choice "maybe"'),
        ("fever", {"choices": ["unknown"]}, "a fact cannot depend on the answer unknown"),
        ("fever", {"questions": ["fevre"]}, '"fevre" is not a question'),
        ("fever", {"value": 3}, "value belongs to at_least and at_most"),
        ("pain_7_plus", {"value": None}, "value belongs to at_least and at_most"),
        ("pain_7_plus", {"questions": ["fever"]}, "does not have a number as its answer"),
        ("both_sides", {"questions": ["radiating_pain", "fever"]}, "has no sides"),
        ("neurological", {"facts": []}, "a fact of kind any reads facts"),
        ("is_new", {"facts": ["child_symptom"]}, "is not listed before this one"),
    ],
)
def test_a_faulty_fact_is_named(
    catalogue: Catalogue, fact_id: str, changes: dict[str, Any], message: str
) -> None:
    broken, index = with_fact(catalogue, fact_id, **changes)
    found = [fault for fault in faults(broken) if fault.file == FACTS]
    assert {(fault.file, fault.pointer) for fault in found} == {(FACTS, f"/{index}")}
    assert any(message in fault.message for fault in found)


def test_a_level_out_of_order_or_missing_is_named(catalogue: Catalogue) -> None:
    first, *others = catalogue.levels
    swapped = dataclasses.replace(catalogue, levels=(first.model_copy(update={"rank": 4}), *others))
    missing = dataclasses.replace(catalogue, levels=tuple(others))
    for broken in (swapped, missing):
        assert "triage/levels.json" in {fault.file for fault in faults(broken)}


def test_an_activity_status_without_a_text_is_named(catalogue: Catalogue) -> None:
    head = catalogue.head.model_copy(update={"activity_status": catalogue.head.activity_status[1:]})
    broken = dataclasses.replace(catalogue, head=head)
    (fault,) = faults(broken)
    assert (fault.file, fault.pointer) == ("triage/rule-set.json", "/activity_status")
