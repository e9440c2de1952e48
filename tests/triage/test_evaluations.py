"""Decisions: a professional where the article or the guidelines require one, and never "safe"."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import rfc8785
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.content.loading import load_catalogue
from api.core.config import SEED_FOLDER
from api.journal.schemas import NewSymptomReport
from api.triage.reports import FIELDS
from api.triage.rules import RuleSet
from api.triage.schemas import Decision, ReportFields
from tests.conftest import AppMaker
from tests.triage.reports import (
    Json,
    as_report,
    evaluate,
    fired_rules,
    mild_answers,
    mild_report,
    rank,
)

SEEDED = load_catalogue(SEED_FOLDER)
COUNTRIES = [country.model_dump(mode="json") for country in SEEDED.countries]
MUST_ASK = [question.id for question in SEEDED.questions if question.must_ask]
ALWAYS_ASKED = [q.id for q in SEEDED.questions if q.must_ask and q.asked_if is None]
EXAMPLES = [
    pytest.param(rule.id, rule.level.value, dict(example.answers), example.fires)
    for rule in SEEDED.rules
    for example in rule.examples
]
# The word that must never occur, also as a part of another word.
FORBIDDEN = re.compile(r"safe(?!ty)|segur[oa]|nothing serious|nada grave", re.IGNORECASE)


def texts(node: Any) -> Iterator[str]:
    """Find every text in a document that a person reads, without keys and names."""
    if isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def test_an_unremarkable_report_is_self_care_with_the_safety_net(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    decision = evaluate(content_client, mild_report(rule_set))
    assert decision["level"] == "self_care"
    assert decision["possible_level"] == "self_care"
    assert decision["screening_complete"] is True
    assert decision["see_professional"] is False
    assert decision["reasons"] == []
    assert decision["unanswered"] == []
    assert decision["activities"]["status"] == "continue"
    assert [action["code"] for action in decision["actions"]] == ["continue_with_safety_net"]
    assert "now" in decision["safety_net"][0]["title"]
    assert len(decision["safety_net"][0]["signs"]) > 5
    assert "not a diagnosis" in decision["disclaimer"]
    assert decision["id"] is None


@pytest.mark.parametrize(
    ("flag", "changes"),
    [
        ("severe pain", {"pain_score": 7}),
        ("severe pain", {"pain_score": 10}),
        ("persistent pain", {"weeks": 6}),
        ("persistent pain", {"weeks": 3, "trend": "same"}),
        ("persistent pain", {"weeks": 3, "trend": "worse"}),
        ("radiating pain", {"radiating_pain": "left"}),
        ("radiating pain", {"radiating_pain": "right"}),
        ("radiating pain", {"radiating_pain": "both"}),
        ("numbness or tingling", {"leg_numbness": "left"}),
        ("numbness or tingling", {"leg_numbness": "right"}),
        ("numbness or tingling", {"other_numbness": "yes"}),
    ],
)
def test_each_of_the_articles_three_flags_gives_see_a_professional(
    content_client: TestClient, rule_set: RuleSet, flag: str, changes: Json
) -> None:
    decision = evaluate(content_client, mild_report(rule_set, **changes))
    assert decision["see_professional"] is True, flag
    assert rank(decision["level"]) >= rank("see_professional"), flag


def test_radiating_pain_alone_names_the_rule_and_its_source(content_client: TestClient) -> None:
    decision = evaluate(content_client, {"answers": {"radiating_pain": "left"}})
    assert decision["see_professional"] is True
    (reason,) = [found for found in decision["reasons"] if found["rule_id"] == "P01"]
    assert reason["facts"] == ["radiating_any"]
    assert reason["level"] == "see_professional"
    assert reason["source_ids"] == ["footing-article"]
    listed = content_client.get("/v1/sources", params={"limit": 200}).json()["items"]
    assert reason["source_ids"][0] in {source["id"] for source in listed}
    assert decision["activities"]["status"] == "pause"


def test_every_source_that_a_rule_names_is_listed(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    listed = content_client.get("/v1/sources", params={"limit": 200}).json()["items"]
    known = {source["id"] for source in listed}
    for rule in rule_set.document["rules"]:
        assert rule["source_ids"], rule["id"]
        assert set(rule["source_ids"]) <= known, rule["id"]


@pytest.mark.parametrize("report", [{}, {"answers": {}}, {"pain_score": None, "answers": {}}])
def test_without_answers_screening_is_incomplete_and_asks_every_must_ask_question(
    content_client: TestClient, report: Json
) -> None:
    decision = evaluate(content_client, report)
    assert decision["level"] == "screening_incomplete"
    assert decision["screening_complete"] is False
    assert decision["see_professional"] is False
    assert decision["possible_level"] == "emergency"
    assert decision["activities"]["status"] == "caution"
    open_questions = {question["question_id"] for question in decision["unanswered"]}
    assert open_questions >= set(MUST_ASK)


@pytest.mark.parametrize("question", ALWAYS_ASKED)
def test_an_omitted_must_ask_question_is_never_self_care(
    content_client: TestClient, rule_set: RuleSet, question: str
) -> None:
    answers = mild_answers(rule_set)
    del answers[question]
    decision = evaluate(content_client, as_report(answers))
    assert decision["level"] == "screening_incomplete"
    assert question in {found["question_id"] for found in decision["unanswered"]}


def test_omitted_null_and_unknown_give_the_same_bytes(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    others = [name for name in rule_set.questions if name not in FIELDS]
    bodies: list[Json] = [
        {"answers": {}},
        {"pain_score": None, "trend": None, "weeks": None, "answers": dict.fromkeys(others)},
        {"answers": dict.fromkeys(others, "unknown")},
    ]
    answers = {content_client.post("/v1/triage/evaluations", json=body).content for body in bodies}
    assert len(answers) == 1


def test_an_open_question_has_the_level_that_its_answer_could_lead_to(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set, saddle_numbness=None, worried=None)
    decision = evaluate(content_client, report)
    could = {found["question_id"]: found["could_raise_to"] for found in decision["unanswered"]}
    assert could == {"saddle_numbness": "emergency", "worried": "see_professional"}
    assert decision["possible_level"] == "emergency"


def test_an_open_question_that_could_not_make_it_urgent_leaves_self_care_and_is_listed(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set, first_episode="unknown", age_years=50)
    decision = evaluate(content_client, report)
    assert decision["level"] == "self_care"
    assert decision["screening_complete"] is True
    assert decision["possible_level"] == "see_professional"
    assert [found["question_id"] for found in decision["unanswered"]] == ["first_episode"]


def test_no_all_clear_while_an_open_question_could_make_it_urgent(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    decision = evaluate(content_client, mild_report(rule_set, night_pain="unknown"))
    assert (decision["level"], decision["possible_level"]) == ("screening_incomplete", "urgent")
    assert decision["screening_complete"] is False
    first = rule_set.document["phrases"]["questions_first"]["en"]
    assert decision["activities"] == {"status": "caution", "text": first}
    assert [found["question_id"] for found in decision["unanswered"]] == ["night_pain"]


def test_saddle_numbness_without_any_pain_is_an_emergency(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    decision = evaluate(content_client, mild_report(rule_set, pain_score=0, saddle_numbness="yes"))
    assert decision["level"] == "emergency"
    assert decision["activities"]["status"] == "stop"
    assert decision["reasons"][0]["rule_id"] == "E01"
    assert decision["actions"][0]["timeframe"] == "now"
    assert decision["actions"][0]["care_setting"] == "emergency_department"


@pytest.mark.parametrize(
    "sides",
    [
        {"radiating_pain": "both"},
        {"radiating_pain": "left", "leg_numbness": "right"},
        {"leg_numbness": "left", "leg_weakness": "right"},
        {"radiating_pain": "right", "leg_weakness": "left"},
    ],
)
def test_both_sides_from_any_questions_are_an_emergency(
    content_client: TestClient, rule_set: RuleSet, sides: Json
) -> None:
    decision = evaluate(content_client, mild_report(rule_set, **sides))
    assert decision["level"] == "emergency"
    assert "E06" in fired_rules(decision)


def test_one_side_in_two_ways_is_not_both_sides(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set, radiating_pain="left", leg_numbness="left")
    decision = evaluate(content_client, report)
    assert decision["level"] == "see_professional"
    assert fired_rules(decision) == {"P01", "P02"}


STABLE: Json = {"radiating_pain": "both", "long_known": "yes", "trend": "same"}


def test_both_sides_that_are_long_known_and_not_worse_are_no_emergency(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    decision = evaluate(content_client, mild_report(rule_set, **STABLE))
    assert decision["level"] == "see_professional"
    assert fired_rules(decision) == {"P01", "P14"}


@pytest.mark.parametrize(
    "missing",
    [
        {"long_known": "no"},
        {"long_known": "unknown"},
        {"long_known": None},
        {"trend": "worse"},
        {"trend": None},
    ],
)
def test_stable_needs_both_answers(
    content_client: TestClient, rule_set: RuleSet, missing: Json
) -> None:
    decision = evaluate(content_client, mild_report(rule_set, **{**STABLE, **missing}))
    assert decision["level"] == "emergency"


@pytest.mark.parametrize(("rule_id", "level", "answers", "fires"), EXAMPLES)
def test_each_rule_fires_on_its_own_examples_and_on_no_counterexample(
    content_client: TestClient, rule_id: str, level: str, answers: Json, *, fires: bool
) -> None:
    decision = evaluate(content_client, as_report(answers))
    assert (rule_id in fired_rules(decision)) is fires
    if fires:
        assert rank(decision["level"]) >= rank(level)


def test_reasons_come_worst_first_and_actions_are_those_of_the_level_alone(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    changes: Json = {"worried": "yes", "radiating_pain": "left", "fever": "yes"}
    decision = evaluate(content_client, mild_report(rule_set, **changes, pregnant="yes"))
    levels = [rank(reason["level"]) for reason in decision["reasons"]]
    assert levels == sorted(levels, reverse=True)
    assert [action["code"] for action in decision["actions"]] == ["maternity_today", "same_day"]
    assert decision["headline"] == "Call your maternity unit now"
    decision = evaluate(content_client, mild_report(rule_set, **changes, worse_on_cough="yes"))
    assert [action["code"] for action in decision["actions"]] == ["same_day"]
    assert {"P01", "P08b"} <= fired_rules(decision)
    assert decision["activities"]["status"] == "stop"


def test_a_person_who_must_not_move_is_not_sent_to_hospital(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set, trauma="major", saddle_numbness="yes", chest_pain="yes")
    decision = evaluate(content_client, report | {"country": "ES"})
    assert {"E01", "E07", "E08"} <= fired_rules(decision)
    assert [action["code"] for action in decision["actions"]] == ["er_now_keep_still"]
    assert decision["headline"] == "Call 112 and stay where you are"
    said = " ".join([decision["message"], *(action["text"] for action in decision["actions"])])
    assert "hospital" not in said


def test_the_same_report_gives_the_same_bytes_whatever_the_order_of_its_answers(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set, radiating_pain="left", weeks=None, night_pain="unknown")
    backwards = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in reversed(report.items())
    }
    bodies = [json.dumps(body) for body in (report, report, backwards)]
    assert bodies[0] != bodies[2]
    headers = {"Content-Type": "application/json"}
    answers = [
        content_client.post("/v1/triage/evaluations", content=body, headers=headers).content
        for body in bodies
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0] == rfc8785.dumps(json.loads(answers[0]))


def test_an_integer_with_a_decimal_point_is_the_same_number(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set)
    assert evaluate(content_client, report | {"pain_score": 2.0}) == evaluate(
        content_client, report
    )


def test_a_notice_asks_the_open_questions_first_while_they_could_raise_the_level(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    first = rule_set.document["phrases"]["answer_first"]["en"]
    open_ = evaluate(content_client, {"answers": {"radiating_pain": "left"}})
    assert rank(open_["possible_level"]) > rank(open_["level"])
    assert open_["notices"] == [first]
    worst = evaluate(content_client, {"answers": {"saddle_numbness": "yes"}})
    assert worst["possible_level"] == worst["level"] == "emergency"
    assert worst["notices"] == []


def test_an_emergency_has_the_number_of_the_persons_country(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set, chest_pain="yes")
    general = rule_set.document["phrases"]["emergency_call_anywhere"]["en"]
    calls = {entry["country"]: f"Call {entry['emergency_number']}" for entry in COUNTRIES}
    for country, call in {**calls, "ZZ": general}.items():
        decision = evaluate(content_client, report | {"country": country})
        assert decision["headline"] == f"{call} or go to hospital now"
        assert decision["actions"][0]["text"].startswith(call), country
        assert decision["safety_net"][0]["title"].startswith(call), country
    assert evaluate(content_client, report)["headline"].startswith(general)


@pytest.mark.parametrize(
    ("headers", "params", "language"),
    [
        ({}, {}, "en"),
        ({"Accept-Language": "es-MX,es;q=0.9"}, {}, "es"),
        ({"Accept-Language": "fr"}, {}, "en"),
        ({"Accept-Language": "en"}, {"lang": "es"}, "es"),
    ],
)
def test_a_decision_is_in_the_requested_language(
    content_client: TestClient,
    rule_set: RuleSet,
    headers: dict[str, str],
    params: dict[str, str],
    language: str,
) -> None:
    response = content_client.post(
        "/v1/triage/evaluations",
        json=mild_report(rule_set, radiating_pain="left"),
        headers=headers,
        params=params,
    )
    decision = response.json()
    assert decision["language"] == response.headers["Content-Language"] == language
    levels = {level["id"]: level for level in rule_set.document["levels"]}
    assert decision["message"] == levels["see_professional"]["message"][language]
    rules = {rule["id"]: rule for rule in rule_set.document["rules"]}
    assert decision["reasons"][0]["text"] == rules["P01"]["text"][language]


def test_an_evaluation_is_never_cached(content_client: TestClient) -> None:
    response = content_client.post("/v1/triage/evaluations", json={})
    assert response.headers["Cache-Control"] == "no-store"


# Additions to, or replacements of, an unremarkable report; the place of the unusable part, and the
# reason.
UNUSABLE: list[tuple[Json, str, str]] = [
    ({"answers": {"headache": "yes"}}, "/answers/headache", "unknown_question"),
    ({"answers": {"a/b~c": "yes"}}, "/answers/a~1b~0c", "unknown_question"),
    ({"answers": {"\ud83d": "yes"}}, "/answers/\ufffd", "unknown_question"),
    ({"answers": {"x" * 1000: "yes"}}, f"/answers/{'x' * 64}", "unknown_question"),
    ({"answers": {"pain_score": "7"}}, "/answers/pain_score", "unknown_question"),
    ({"answers": {"radiating_pain": "yes"}}, "/answers/radiating_pain", "unknown_choice"),
    ({"answers": {"fever": "Yes"}}, "/answers/fever", "unknown_choice"),
    ({"answers": {"night_pain": True}}, "/answers/night_pain", "unknown_choice"),
    ({"answers": {"night_pain": {"since": 3}}}, "/answers/night_pain", "unknown_choice"),
    ({"answers": []}, "/answers", "invalid_value"),
    ({"answers": "none"}, "/answers", "invalid_value"),
    ({"pain_score": 11}, "/pain_score", "invalid_value"),
    ({"pain_score": -1}, "/pain_score", "invalid_value"),
    ({"pain_score": "7"}, "/pain_score", "invalid_value"),
    ({"pain_score": True}, "/pain_score", "invalid_value"),
    ({"pain_score": 7.5}, "/pain_score", "invalid_value"),
    ({"pain_score": 10**400}, "/pain_score", "invalid_value"),
    ({"weeks": -1}, "/weeks", "invalid_value"),
    ({"weeks": 5201}, "/weeks", "invalid_value"),
    ({"age_years": 300}, "/age_years", "invalid_value"),
    ({"trend": "sideways"}, "/trend", "unknown_choice"),
    ({"trend": []}, "/trend", "unknown_choice"),
    # A misplaced answer is still an answer.
    ({"one_leg_swelling": "yes"}, "/one_leg_swelling", "unknown_field"),
]
# Unusable as well, but without an effect on the answers.
BESIDE_THE_POINT: list[tuple[Json, str, str]] = [
    ({"country": "Spain"}, "/country", "invalid_value"),
    ({"country": 34}, "/country", "invalid_value"),
    ({"mood": "low"}, "/mood", "unknown_field"),
    ({"app_version": "7"}, "/app_version", "unknown_field"),
]


def with_mild(rule_set: RuleSet, change: Json) -> Json:
    """Return a report with all other questions answered mildly."""
    report = mild_report(rule_set) | change
    if isinstance(change.get("answers"), dict):
        report["answers"] = {**mild_report(rule_set)["answers"], **change["answers"]}
    return report


@pytest.mark.parametrize(("change", "pointer", "code"), UNUSABLE)
def test_unusable_parts_count_as_not_answered_and_prevent_an_all_clear(
    content_client: TestClient, rule_set: RuleSet, change: Json, pointer: str, code: str
) -> None:
    decision = evaluate(content_client, with_mild(rule_set, change))
    assert decision["ignored"] == [{"pointer": pointer, "code": code}]
    assert decision["ignored_total"] == 1
    assert decision["level"] == "screening_incomplete"
    assert decision["screening_complete"] is False
    assert decision["activities"]["status"] == "caution"


@pytest.mark.parametrize(("change", "pointer", "code"), BESIDE_THE_POINT)
def test_an_invalid_country_and_unknown_metadata_change_no_level(
    content_client: TestClient, rule_set: RuleSet, change: Json, pointer: str, code: str
) -> None:
    decision = evaluate(content_client, with_mild(rule_set, change))
    assert decision["ignored"] == [{"pointer": pointer, "code": code}]
    assert {**decision, "ignored": [], "ignored_total": 0} == evaluate(
        content_client, mild_report(rule_set)
    )


def test_ignored_parts_hide_no_answer(content_client: TestClient) -> None:
    report = {"pain_score": 3.5, "answers": {"saddle_numbness": "yes", "headache": "yes"}, "x": 1}
    decision = evaluate(content_client, report)
    assert decision["level"] == "emergency"
    assert "E01" in fired_rules(decision)
    assert [part["pointer"] for part in decision["ignored"]] == [
        "/answers/headache",
        "/pain_score",
        "/x",
    ]


def test_fifty_ignored_parts_are_listed_and_all_are_counted(
    content_client: TestClient,
) -> None:
    decision = evaluate(content_client, {f"field_{number:03}": 1 for number in range(300)})
    assert [part["pointer"] for part in decision["ignored"]] == [
        f"/field_{number:03}" for number in range(50)
    ]
    assert decision["ignored_total"] == 300


def test_equivalent_spellings_are_accepted(content_client: TestClient, rule_set: RuleSet) -> None:
    plain = mild_report(rule_set, fever="yes", age_years=None, pain_score=3)
    meant = {**plain, "country": "GB"}
    said = {**plain, "country": "gb", "age_years": "unknown", "pain_score": 3.0}
    assert evaluate(content_client, said) == evaluate(content_client, meant)
    assert evaluate(content_client, {"answers": None}) == evaluate(content_client, {})


def test_a_complete_symptom_report_can_be_evaluated(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    report = mild_report(rule_set)
    beside = set(NewSymptomReport.model_fields) - set(ReportFields.model_fields)
    assert {"id", "reported_at", "note", "device_decision"} <= beside
    for value in ("7", None, {"level": "self_care"}):
        whole = {**report, **dict.fromkeys(beside, value)}
        assert evaluate(content_client, whole) == evaluate(content_client, report)


def test_null_never_answers_a_question(content_client: TestClient) -> None:
    with_nulls = {"answers": {"saddle_numbness": "yes", "headache": None, "weeks": None}}
    without = {"answers": {"saddle_numbness": "yes"}}
    assert evaluate(content_client, with_nulls) == evaluate(content_client, without)


def test_a_number_beyond_all_bounds_is_no_answer(content_client: TestClient) -> None:
    response = content_client.post(
        "/v1/triage/evaluations",
        content='{"weeks": 1e999, "answers": {"saddle_numbness": "yes"}}',
        headers={"Content-Type": "application/json"},
    )
    assert response.json()["ignored"] == [{"pointer": "/weeks", "code": "invalid_value"}]
    assert response.json()["level"] == "emergency"


# Bodies without an object, or without a readable one.
UNREADABLE: dict[str, Json] = {
    "no JSON": {"content": "{", "status": 422},
    "half a word": {"content": "nul", "status": 422},
    "nothing": {"content": "", "status": 422},
    "null": {"content": "null", "status": 422},
    "a list": {"content": "[]", "status": 422},
    "a number": {"content": "7", "status": 422},
    "no end of lists": {"content": "[" * 100_000, "status": 413},
    "no UTF-8": {"content": b'{"answers": "\xff"}', "status": 422},
    "too much": {"content": b'"' + b"x" * 2**20 + b'"', "status": 413},
    "another media type": {"content": "a=1", "status": 415, "Content-Type": "text/plain"},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_body_gets_the_cautious_outcome_in_the_problem(
    content_client: TestClient, rule_set: RuleSet, name: str
) -> None:
    sent = UNREADABLE[name]
    response = content_client.post(
        "/v1/triage/evaluations",
        content=sent["content"],
        headers={
            "Content-Type": sent.get("Content-Type", "application/json"),
            "Accept-Language": "es-MX",
        },
    )
    assert response.status_code == sent["status"]
    decision = response.json()["decision"]
    assert Decision.model_validate(decision).model_dump(mode="json") == decision
    assert decision["actions"][0]["code"] == "cannot_evaluate"
    assert (decision["level"], decision["possible_level"]) == ("urgent", "emergency")
    assert decision["activities"]["status"] == "stop"
    assert decision["screening_complete"] is False
    assert decision["id"] is None
    assert decision["language"] == "es"
    assert decision["rule_set_hash"] == rule_set.hash


# Rejected requests with a readable body.
BESIDE_THE_BODY: dict[str, Json] = {
    "an unknown parameter": {"params": {"foo": "1"}},
    "an unknown language": {"params": {"lang": "xx"}},
    "no end of languages": {"headers": {"Accept-Language": "es," * 500}},
}


@pytest.mark.parametrize("name", BESIDE_THE_BODY)
def test_a_request_with_an_invalid_url_or_headers_gets_a_decision_on_its_body(
    content_client: TestClient, name: str
) -> None:
    body = {"pain_score": 11, "answers": {"saddle_numbness": "yes"}}
    asked: Json = {"headers": {"Accept-Language": "es"}} | BESIDE_THE_BODY[name]
    response = content_client.post("/v1/triage/evaluations", json=body, **asked)
    assert response.status_code == 422
    decision = response.json()["decision"]
    assert Decision.model_validate(decision).model_dump(mode="json") == decision
    assert decision["level"] == "emergency"
    assert "E01" in fired_rules(decision)
    assert decision["ignored"] == [{"pointer": "/pain_score", "code": "invalid_value"}]
    assert decision == evaluate(content_client, body, **{"Accept-Language": "es"})


@pytest.mark.parametrize(
    "asked",
    [
        *({"json": {}, **beside} for beside in BESIDE_THE_BODY.values()),
        {"content": "{", "headers": {"Content-Type": "application/json"}},
    ],
    ids=[*BESIDE_THE_BODY, "no JSON"],
)
def test_a_rejected_evaluation_counts_like_any_other(
    database_url: str, make_client: AppMaker, asked: Json
) -> None:
    client = make_client(database_url=database_url, rate_limit_public="1/hour")
    assert client.post("/v1/triage/evaluations", **asked).status_code == 422
    refused = client.post("/v1/triage/evaluations", **asked)
    assert refused.status_code == 429
    assert refused.json()["decision"]["actions"][0]["code"] == "cannot_evaluate"


def test_a_rate_limited_evaluation_gets_the_cautious_outcome(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_public="1/hour")
    evaluate(client, {})
    response = client.post("/v1/triage/evaluations", json={})
    assert response.status_code == 429
    assert response.json()["decision"]["level"] == "urgent"


def test_problems_of_other_endpoints_have_no_decision(content_client: TestClient) -> None:
    for response in (
        content_client.get("/v1/triage/evaluations"),
        content_client.post("/v1/participants", json={}),
        content_client.get("/v1/exercises/nothing"),
    ):
        assert response.json()["decision"] is None


def test_no_text_of_the_rule_set_says_that_someone_is_safe(catalogue: Catalogue) -> None:
    every = [
        text
        for entries in (
            catalogue.questions,
            catalogue.rules,
            catalogue.levels,
            catalogue.actions,
            (catalogue.head,),
        )
        for entry in entries
        for text in texts(entry.model_dump(mode="json"))
    ]
    assert len(every) > 500
    assert [text for text in every if FORBIDDEN.search(text)] == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_no_decision_says_that_someone_is_safe(
    content_client: TestClient, rule_set: RuleSet, language: str
) -> None:
    reports = [{}, mild_report(rule_set)]
    reports += [
        as_report(dict(example.answers)) for rule in SEEDED.rules for example in rule.examples[:1]
    ]
    for report in reports:
        decision = evaluate(content_client, report, **{"Accept-Language": language})
        assert decision["language"] == language
        assert [text for text in texts(decision) if FORBIDDEN.search(text)] == []


def test_no_decision_has_an_unfilled_placeholder(
    content_client: TestClient,
) -> None:
    for rule in SEEDED.rules:
        report = as_report(dict(rule.examples[0].answers))
        for country in (None, "GB", "ZZ"):
            decision = evaluate(content_client, report | {"country": country})
            assert [text for text in texts(decision) if "{" in text or "}" in text] == []


@pytest.mark.parametrize("answers", [{}, {"fever": "yes"}, {"radiating_pain": "left", "x": "y"}])
@pytest.mark.parametrize("language", ["en", "es"])
def test_requests_with_and_without_fastapi_get_the_same_decision(
    content_client: TestClient, answers: Json, language: str
) -> None:
    """Only a request without a query is handled without FastAPI's dependencies."""
    report = {"pain_score": 9, "weeks": 7, "country": "ES", "answers": answers}
    path = "/v1/triage/evaluations"
    ordinary = content_client.post(path, json=report, headers={"Accept-Language": language})
    other = content_client.post(path, json=report, params={"lang": language})
    assert ordinary.status_code == other.status_code == 200
    assert ordinary.headers["Content-Language"] == other.headers["Content-Language"] == language
    first, second = ordinary.json(), other.json()
    assert first["evaluated_at"] == second["evaluated_at"]
    assert ordinary.content == other.content == rfc8785.dumps(first)
