"""What a frightened person reads: one thing to do, no contradiction, not too much text."""

from dataclasses import replace
from typing import Any

import pytest

from api.content.catalogue import Catalogue
from api.content.vocabulary import ACTIVITY_STATUSES
from api.triage.evaluation import MAX_WORDS, Case, decide
from api.triage.rules import RuleSet
from api.triage.vectors import cases
from tests.support.budget import budget
from tests.triage.generators import ReportGenerator
from tests.triage.reports import rank

Json = dict[str, Any]
REPORTS = budget(quick=1_000, full=20_000)
SOONEST_FIRST = ("now", "today", "soon", "before_activity", "when_convenient")

pytestmark = pytest.mark.fuzz


@pytest.fixture(scope="module")
def decided(rule_set: RuleSet) -> list[tuple[str, Case, Json]]:
    every = [*cases(rule_set), *ReportGenerator(rule_set, seed=12).cases(REPORTS)]
    return [(name, case, decide(rule_set, case).document) for name, case in every]


def read_to_the_reasons(decision: Json) -> list[str]:
    """Return the texts of a decision, from the headline to the reasons."""
    return [
        decision["headline"],
        decision["message"],
        *(action["text"] for action in decision["actions"]),
        *decision["notices"],
        *(reason["text"] for reason in decision["reasons"]),
    ]


def words(*texts: str) -> int:
    return sum(len(text.split()) for text in texts)


def test_no_action_is_later_or_milder_than_another_of_the_same_decision(
    decided: list[tuple[str, Case, Json]], rule_set: RuleSet
) -> None:
    several = 0
    milder_fired = 0
    status_of = {action["code"]: action["activities"] for action in rule_set.document["actions"]}
    for name, _, decision in decided:
        actions = decision["actions"]
        assert actions, name
        assert len({SOONEST_FIRST.index(action["timeframe"]) for action in actions}) == 1, name
        assert len({status_of[action["code"]] for action in actions}) == 1, name
        several += len(actions) > 1
        milder_fired += len({reason["level"] for reason in decision["reasons"]}) > 1
    assert several > 5
    assert milder_fired > 100


def test_every_action_is_one_of_the_decided_level(
    decided: list[tuple[str, Case, Json]], rule_set: RuleSet
) -> None:
    levels: dict[str, set[str]] = {"screening_incomplete": set(), "self_care": set()}
    levels["screening_incomplete"].add(rule_set.document["incomplete_action"])
    levels["self_care"] |= {entry["action"] for entry in rule_set.document["complete_actions"]}
    for rule in rule_set.document["rules"]:
        levels.setdefault(rule["level"], set()).add(rule["action"])
    for name, _, decision in decided:
        assert {action["code"] for action in decision["actions"]} <= levels[decision["level"]], name


def test_no_activity_continues_unchanged_while_something_urgent_is_possible(
    decided: list[tuple[str, Case, Json]], rule_set: RuleSet
) -> None:
    first = rule_set.document["phrases"]["questions_first"]
    seen = 0
    for name, case, decision in decided:
        if rank(decision["possible_level"]) < rank("urgent"):
            continue
        seen += 1
        assert decision["activities"]["status"] != "continue", name
        assert decision["level"] != "self_care", name
        if rank(decision["level"]) < rank("urgent"):
            assert decision["screening_complete"] is False, name
            if decision["activities"]["status"] == "caution":
                assert decision["activities"]["text"] == first[case.language], name
    assert seen > REPORTS / 2


def test_an_open_question_makes_no_activity_stricter_than_its_rules_do(
    decided: list[tuple[str, Case, Json]],
) -> None:
    for name, _, decision in decided:
        if not decision["reasons"]:
            status = decision["activities"]["status"]
            assert ACTIVITY_STATUSES.index(status) <= ACTIVITY_STATUSES.index("caution"), name


def test_an_emergency_of_one_rule_has_at_most_120_words_in_every_country_and_language(
    decided: list[tuple[str, Case, Json]], rule_set: RuleSet
) -> None:
    countries = [None, *(entry["country"] for entry in rule_set.document["countries"])]
    emergencies = {r["id"] for r in rule_set.document["rules"] if r["level"] == "emergency"}
    seen: set[str] = set()
    shortened = 0
    for name, given, _ in decided:
        outcome = decide(rule_set, given).outcome
        fired = [rule["id"] for rule in outcome.fired]
        single = [rule_id for rule_id in fired if rule_id in emergencies]
        if len(single) != 1 or (name.startswith("generated-") and single[0] in seen):
            continue
        seen.update(single)
        for country in countries:
            for language in rule_set.document["languages"]:
                decision = decide(rule_set, replace(given, country=country, language=language))[0]
                assert words(*read_to_the_reasons(decision)) <= MAX_WORDS, (name, country, language)
                told = [reason["rule_id"] for reason in decision["reasons"]]
                assert told[0] == single[0]
                shortened += len(told) < len(fired)
    assert seen == emergencies
    assert shortened > 0


def test_no_reason_is_left_out_of_any_other_decision(
    decided: list[tuple[str, Case, Json]], rule_set: RuleSet
) -> None:
    for name, given, decision in decided:
        fired = decide(rule_set, given).outcome.fired
        if sum(rule["level"] == "emergency" for rule in fired) != 1:
            told = {reason["rule_id"] for reason in decision["reasons"]}
            assert told == {rule["id"] for rule in fired}, name


def test_a_headline_has_at_most_8_words_in_every_country(
    decided: list[tuple[str, Case, Json]], rule_set: RuleSet
) -> None:
    for name, given, _ in decided[:200]:
        for country in (None, "ES", "GB"):
            for language in rule_set.document["languages"]:
                decision = decide(rule_set, replace(given, country=country, language=language))[0]
                assert words(decision["headline"]) <= 8, (name, decision["headline"])


@pytest.mark.parametrize("language", ["en", "es"])
def test_texts_are_not_too_long(catalogue: Catalogue, language: str) -> None:
    too_long = [
        rule.id
        for rule in (*catalogue.rules, *catalogue.session_rules)
        if words(rule.text[language]) > 25
    ]
    too_long += [
        level.id.value
        for level in catalogue.levels
        if level.message[language].count(".") > 2 or words(level.message[language]) > 25
    ]
    too_long += [
        sign[language]
        for part in catalogue.head.safety_net
        for sign in part.signs
        if words(sign[language]) > 10
    ]
    assert too_long == []
    assert all(rule.explanation[language] for rule in catalogue.rules)
