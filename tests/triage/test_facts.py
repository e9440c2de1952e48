"""Facts: each has a certain and a possible value."""

from typing import Any

import pytest

from api.triage.facts import derive, is_open, variables
from api.triage.rules import RuleSet

Answer = int | str | None
Pair = tuple[bool, bool]

NO: Pair = (False, False)
POSSIBLE: Pair = (False, True)
CERTAIN: Pair = (True, True)


def fact(fact_id: str, kind: str, **parts: Any) -> dict[str, Any]:
    return {"id": fact_id, "kind": kind, "questions": [], "choices": [], "facts": [], **parts}


def pair(definitions: list[dict[str, Any]], answers: dict[str, Answer]) -> Pair:
    """Compute the last of some facts."""
    facts = derive(definitions, answers)
    name = definitions[-1]["id"]
    return facts.certain[name], facts.possible[name]


@pytest.mark.parametrize(
    ("answer", "expected"), [("yes", CERTAIN), ("no", NO), ("unknown", POSSIBLE), (None, POSSIBLE)]
)
def test_a_choice_makes_its_fact_certain_and_silence_makes_it_possible(
    answer: Answer, expected: Pair
) -> None:
    fever = fact("fever", "answer", questions=["fever"], choices=["yes"])
    assert pair([fever], {"fever": answer}) == expected


def test_a_fact_can_rest_on_any_of_several_choices() -> None:
    bad = fact("not_better", "answer", questions=["trend"], choices=["same", "worse"])
    assert [pair([bad], {"trend": trend}) for trend in ("better", "same", "worse")] == [
        NO,
        CERTAIN,
        CERTAIN,
    ]


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("at_least", 6, NO),
        ("at_least", 7, CERTAIN),
        ("at_least", 8, CERTAIN),
        ("at_least", 0, NO),
        ("at_least", None, POSSIBLE),
        ("at_most", 6, CERTAIN),
        ("at_most", 7, CERTAIN),
        ("at_most", 8, NO),
        ("at_most", 0, CERTAIN),
        ("at_most", None, POSSIBLE),
    ],
)
def test_a_number_is_compared_with_its_bound_included(
    kind: str, answer: Answer, expected: Pair
) -> None:
    definition = fact("bound", kind, questions=["pain_score"], value=7)
    assert pair([definition], {"pain_score": answer}) == expected


@pytest.mark.parametrize(
    ("pain", "numbness", "expected"),
    [
        ("both", "none", CERTAIN),
        ("left", "right", CERTAIN),
        ("right", "left", CERTAIN),
        ("left", "left", NO),
        ("none", "none", NO),
        ("left", "unknown", POSSIBLE),
        ("none", None, POSSIBLE),
        ("both", "unknown", CERTAIN),
    ],
)
def test_both_sides_are_the_union_over_several_questions(
    pain: Answer, numbness: Answer, expected: Pair
) -> None:
    both = fact("both", "both_sides", questions=["pain", "numbness"])
    assert pair([both], {"pain": pain, "numbness": numbness}) == expected


ONE = fact("one", "answer", questions=["one"], choices=["yes"])
TWO = fact("two", "answer", questions=["two"], choices=["yes"])


@pytest.mark.parametrize(
    ("one", "two", "any_of_them", "all_of_them"),
    [
        ("yes", "yes", CERTAIN, CERTAIN),
        ("yes", "no", CERTAIN, NO),
        ("yes", None, CERTAIN, POSSIBLE),
        ("no", "no", NO, NO),
        ("no", None, POSSIBLE, NO),
        (None, None, POSSIBLE, POSSIBLE),
    ],
)
def test_any_and_all_combine_certain_with_certain_and_possible_with_possible(
    one: Answer, two: Answer, any_of_them: Pair, all_of_them: Pair
) -> None:
    answers = {"one": one, "two": two}
    assert pair([ONE, TWO, fact("any", "any", facts=["one", "two"])], answers) == any_of_them
    assert pair([ONE, TWO, fact("all", "all", facts=["one", "two"])], answers) == all_of_them


@pytest.mark.parametrize(
    ("answer", "expected"), [("yes", NO), ("no", CERTAIN), ("unknown", CERTAIN), (None, CERTAIN)]
)
def test_reassurance_counts_only_when_it_is_given(answer: Answer, expected: Pair) -> None:
    assert pair([ONE, fact("not_one", "not_given", facts=["one"])], {"one": answer}) == expected


def test_a_fact_carries_the_open_questions_of_all_its_parts() -> None:
    definitions = [ONE, TWO, fact("any", "any", facts=["one", "two"])]
    found = derive(definitions, {"one": "yes"}).open_questions
    assert found == {"one": frozenset(), "two": {"two"}, "any": {"two"}}


def test_omitted_null_and_unknown_are_the_same_for_every_question(rule_set: RuleSet) -> None:
    definitions = rule_set.document["facts"]
    nothing = derive(definitions, {})
    assert derive(definitions, dict.fromkeys(rule_set.questions)) == nothing
    assert derive(definitions, dict.fromkeys(rule_set.questions, "unknown")) == nothing


def test_with_no_answer_at_all_nothing_is_certain_but_what_reassurance_would_have_to_deny(
    rule_set: RuleSet,
) -> None:
    facts = derive(rule_set.document["facts"], {})
    certain = {name for name, value in facts.certain.items() if value}
    assert certain == {
        "is_new",
        "new_or_worse",
        "not_known_stable",
        "not_assessed_and_stable",
        "pregnancy_not_ruled_out",
    }


@pytest.mark.parametrize("answer", [0, "no", "none", False])
def test_zero_and_no_are_answers(answer: Answer) -> None:
    assert not is_open(answer)


def test_the_facts_a_condition_reads_are_found_at_any_depth() -> None:
    condition = {"or": [{"var": "a"}, {"and": [{"var": ["b", False]}, {"or": [{"var": "c"}]}]}]}
    assert list(variables(condition)) == ["a", "b", "c"]
