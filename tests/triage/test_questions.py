"""The questions: all that could make a report urgent, conditional ones, and their periods."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.core.config import SEED_FOLDER
from api.triage.evaluation import Case, decide
from api.triage.rules import RuleSet
from api.triage.vectors import NOW
from tests.triage.reports import Json, evaluate, fired_rules, mild_answers, mild_report, rank

# The only question of an emergency rule that need not be asked.
EXCEPTION = {"self_harm_thoughts"}


def questions_behind(facts: Mapping[str, Any], name: str) -> Iterator[str]:
    yield from facts[name]["questions"]
    for part in facts[name]["facts"]:
        yield from questions_behind(facts, part)


def test_every_question_that_an_urgent_or_emergency_rule_reads_must_be_asked(
    rule_set: RuleSet,
) -> None:
    facts = {fact["id"]: fact for fact in rule_set.document["facts"]}
    read = {
        question
        for rule in rule_set.document["rules"]
        if rank(rule["level"]) >= rank("urgent")
        for name in rule["reads"]
        for question in questions_behind(facts, name)
    }
    assert len(read) > 55
    assert set(rule_set.must_ask) == read - EXCEPTION


def test_a_conditional_question_is_listed_only_while_it_may_concern_the_person(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    without: Json = dict.fromkeys(rule_set.asked_if)
    decision = evaluate(
        content_client, mild_report(rule_set, **without | {"pregnant": "cannot_be"})
    )
    assert decision["level"] == "self_care"
    assert decision["unanswered"] == []
    for opened, by in (
        ({"missed_period"}, {"pregnant": "no"}),
        ({"pregnancy_bleeding", "pregnancy_fluid_loss"}, {"pregnant": "yes"}),
        ({"pregnancy_bleeding", "shoulder_tip_pain"}, {"pregnant": "no", "missed_period": "yes"}),
        ({"long_known"}, {"pregnant": "cannot_be", "leg_weakness": "left"}),
        ({"assessed_before"}, {"pregnant": "cannot_be", "cancer_history": "yes"}),
        ({"self_harm_thoughts"}, {"pregnant": "cannot_be", "worried": "yes"}),
    ):
        decision = evaluate(content_client, mild_report(rule_set, **{**without, **by}))
        assert opened <= {found["question_id"] for found in decision["unanswered"]}, by


def test_an_unknown_pregnancy_stays_possible_and_makes_nothing_certain(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    without: Json = dict.fromkeys(name for name in rule_set.asked_if if "pregnan" in name)
    decision = evaluate(content_client, mild_report(rule_set, **without | {"pregnant": "unknown"}))
    assert decision["level"] == "screening_incomplete"
    assert decision["possible_level"] == "emergency"
    assert decision["reasons"] == []


@pytest.mark.parametrize("past", [{"trauma": "none"}, {"unsteady_walking": "no"}])
def test_symptoms_long_past_are_no_emergency(
    content_client: TestClient, rule_set: RuleSet, past: Json
) -> None:
    assert evaluate(content_client, mild_report(rule_set, **past))["level"] == "self_care"


@pytest.mark.parametrize(
    ("names", "english", "spanish"),
    [
        (
            ("saddle_numbness", "bladder_change", "bowel_change", "sexual_change"),
            "New or worse in the last 3 months",
            "Nuevo o peor en los últimos 3 meses",
        ),
        (("unsteady_walking",), "New or worse in the last 3 months", "últimos 3 meses"),
        (
            ("radiating_pain", "leg_numbness", "other_numbness", "leg_weakness"),
            " now",
            "ahora",
        ),
        (
            ("trauma", "heel_pop", "spinal_procedure", "recent_infection"),
            "n the last 6 weeks",
            "últimas 6 semanas",
        ),
        (
            ("fever", "very_unwell", "night_sweats", "sudden_severe_abdomen"),
            "in the last 2 weeks",
            "últimas 2 semanas",
        ),
    ],
)
def test_a_question_states_the_period_it_refers_to(
    rule_set: RuleSet, names: tuple[str, ...], english: str, spanish: str
) -> None:
    for name in names:
        text = rule_set.questions[name]["text"]
        assert english in text["en"], name
        assert spanish in text["es"], name


@pytest.mark.parametrize("condition", ["osteoporosis", "steroids", "cancer_history", "diabetes"])
@pytest.mark.parametrize(
    ("assessed", "trend", "level", "action"),
    [
        ("yes", "better", "self_care", "keep_to_advice"),
        ("yes", "same", "see_professional", "go_back"),
        ("no", "better", "see_professional", None),
        ("unknown", "better", "see_professional", None),
        ("yes", None, "see_professional", None),
    ],
)
def test_a_condition_needs_a_professional_until_it_was_assessed_and_improves(
    content_client: TestClient,
    rule_set: RuleSet,
    condition: str,
    assessed: str,
    trend: str | None,
    level: str,
    action: str | None,
) -> None:
    changes: Json = {condition: "yes", "assessed_before": assessed, "trend": trend, "weeks": 8}
    decision = evaluate(content_client, mild_report(rule_set, **changes))
    if condition == "cancer_history" and assessed != "yes":
        level = "urgent"
    assert decision["level"] == level
    if action is not None:
        assert [found["code"] for found in decision["actions"]] == [action]


def decision_on(rule_set: RuleSet, *history: str, **changes: int | str | None) -> Json:
    answers = {**mild_answers(rule_set), **changes}
    return decide(rule_set, Case(answers, "en", NOW, history_facts=history)).document


def test_persistence_follows_the_same_and_a_rise_is_never_suppressed(rule_set: RuleSet) -> None:
    better: dict[str, int | str | None] = {"assessed_before": "yes", "trend": "better"}
    persistent = decision_on(rule_set, "persistent_in_history", **better)
    assert persistent["level"] == "self_care"
    assert persistent["actions"][0]["code"] == "keep_to_advice"
    same = decision_on(rule_set, "persistent_in_history", assessed_before="yes", trend="same")
    assert same["headline"] == "Go back to the professional who saw you"
    assert decision_on(rule_set, "persistent_in_history")["level"] == "see_professional"
    risen = decision_on(rule_set, "pain_risen_in_history", **better)
    assert fired_rules(risen) == {"P08c"}


@pytest.mark.parametrize(
    "flag", [{"radiating_pain": "left"}, {"leg_numbness": "left"}, {"pain_score": 7}]
)
def test_the_articles_flags_remain_whatever_was_assessed(rule_set: RuleSet, flag: Json) -> None:
    known: Json = {"assessed_before": "yes", "trend": "better", "long_known": "yes"}
    assert decision_on(rule_set, **known, **flag)["level"] == "see_professional"


# The effect of the new questions; the boundary of each rule is in its examples.
NEW: list[tuple[Json, str, str]] = [
    ({"cold_pale_foot": "left"}, "urgent", "U16"),
    ({"cold_pale_foot": "left", "leg_numbness": "left"}, "emergency", "E15"),
    ({"cold_pale_foot": "left", "pain_region": "foot"}, "emergency", "E15"),
    ({"sudden_onset": "yes"}, "urgent", "U17"),
    ({"sudden_onset": "yes", "age_years": 50}, "emergency", "E16"),
    ({"sudden_onset": "yes", "pain_region": "middle_back"}, "emergency", "E16"),
    ({"sudden_onset": "yes", "pain_score": 9}, "emergency", "E16"),
    ({"fainting": "yes"}, "urgent", "U02g"),
    ({"fainting": "yes", "age_years": 60}, "emergency", "E17"),
    ({"cold_sweat": "yes"}, "urgent", "U02g"),
    ({"cold_sweat": "yes", "pain_region": "upper_back"}, "emergency", "E18"),
    ({"spinal_procedure": "yes"}, "urgent", "U18"),
    ({"spinal_procedure": "yes", "trend": "worse"}, "emergency", "E19"),
    ({"spinal_procedure": "yes", "fever": "yes"}, "emergency", "E19"),
    ({"recent_infection": "yes"}, "urgent", "U19"),
    ({"night_sweats": "yes"}, "urgent", "U19"),
    ({"blood_thinners": "yes"}, "self_care", ""),
    ({"blood_thinners": "yes", "trauma": "minor"}, "emergency", "E20"),
    ({"blood_thinners": "yes", "other_numbness": "yes"}, "emergency", "E20"),
    ({"blood_thinners": "yes", "pain_score": 7}, "urgent", "U20"),
    ({"painful_urine": "yes"}, "urgent", "U21"),
    ({"painful_urine": "yes", "fever": "yes"}, "urgent", "U21"),
    ({"painful_urine": "yes", "bladder_change": "yes"}, "emergency", "E02"),
    ({"rash": "yes"}, "urgent", "U22"),
    ({"missed_period": "yes"}, "urgent", "U23"),
    ({"missed_period": "yes", "one_sided_tummy_pain": "yes"}, "emergency", "E21"),
    ({"pregnant": "yes", "shoulder_tip_pain": "yes"}, "emergency", "E21"),
    ({"pregnant": "yes", "fainting": "yes"}, "emergency", "E21"),
    ({"pregnant": "yes", "pregnancy_bleeding": "a_little"}, "urgent", "U13"),
    ({"pregnant": "yes", "pregnancy_bleeding": "yes"}, "emergency", "E12"),
    ({"pregnant": "yes", "pregnancy_tightenings": "yes"}, "urgent", "U13"),
    ({"hand_clumsy_or_numb": "left"}, "see_professional", "P15"),
    ({"hand_clumsy_or_numb": "both"}, "urgent", "U24"),
    ({"hand_clumsy_or_numb": "both", "unsteady_walking": "yes"}, "emergency", "E22"),
    (
        {"hand_clumsy_or_numb": "both", "pain_region": "upper_back", "pain_score": 7},
        "emergency",
        "E22",
    ),
    ({"pain_region": "middle_back"}, "self_care", ""),
    ({"pain_region": "middle_back", "age_years": 70}, "see_professional", "P18"),
    (
        {"pain_region": "middle_back", "age_years": 50, "steroids": "yes"},
        "see_professional",
        "P18",
    ),
    (
        {"leg_numbness": "left", "leg_weakness": "left", "cannot_bear_weight": "yes"},
        "emergency",
        "E23",
    ),
    ({"worried": "yes", "self_harm_thoughts": "yes"}, "emergency", "E24"),
    ({"foot_ulcer": "yes"}, "urgent", "U12"),
]


@pytest.mark.parametrize(("changes", "level", "rule_id"), NEW)
def test_a_sign_that_no_question_asked_for_before_gets_its_level(
    rule_set: RuleSet, changes: Json, level: str, rule_id: str
) -> None:
    decision = decision_on(rule_set, **changes)
    assert decision["level"] == level
    assert not rule_id or rule_id in fired_rules(decision)


@pytest.mark.parametrize(("country", "call"), [("US", "988"), ("ES", "024"), ("ZZ", "a crisis")])
def test_thoughts_of_self_harm_give_the_crisis_line_of_the_country(
    content_client: TestClient, rule_set: RuleSet, country: str, call: str
) -> None:
    report = mild_report(rule_set, self_harm_thoughts="yes") | {"country": country}
    decision = evaluate(content_client, report)
    assert call in decision["headline"]
    assert call in decision["actions"][0]["text"]


def test_the_same_condition_has_the_same_care_level_in_cautions_and_in_triage(
    catalogue: Catalogue, rule_set: RuleSet
) -> None:
    conditions = json.loads((SEED_FOLDER / "conditions.json").read_text("utf-8"))
    compared = 0
    used = {caution.condition for caution in catalogue.cautions}
    for condition in conditions:
        if condition["question_id"] is None or condition["id"] not in used:
            continue
        choices = {
            choice["id"] for choice in rule_set.questions[condition["question_id"]]["choices"]
        }
        answer = "yes" if "yes" in choices else "left"
        level = decision_on(rule_set, **{condition["question_id"]: answer})["level"]
        assert condition["care_level"] == (None if level == "self_care" else level), condition
        compared += 1
    assert compared >= 10
