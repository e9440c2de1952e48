"""Golden cases: other evaluators can run them, they cover every rule, and show changes."""

import re
from collections import defaultdict
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.content.rule_set import reviewed_document
from api.core.canonical import canonical
from api.triage import schemas
from api.triage.facts import is_open
from api.triage.reports import PASSED_OVER
from api.triage.rules import RuleSet, compile_rule_set
from api.triage.vectors import vector_answers, vectors
from tests.triage.golden import FOLDER, golden_files

Json = dict[str, Any]
URL = "/v1/triage/vectors"


@pytest.fixture(scope="module")
def golden(rule_set: RuleSet) -> Json:
    return vectors(rule_set)


def answers_of(vector: Json) -> frozenset[tuple[str, Any]]:
    """Return the answers of a report, regardless of how an answer is left open."""
    report = vector["report"]
    given = {**report, **report["answers"]}
    del given["answers"]
    return frozenset(
        (name, answer)
        for name, answer in given.items()
        if name not in PASSED_OVER and not is_open(answer)
    )


def fired_in(vector: Json) -> set[str]:
    return {reason["rule_id"] for reason in vector["decision"]["reasons"]}


def coverage(golden: Json) -> dict[str, tuple[list[str], list[str]]]:
    """Return for every rule where it fires, and where one other answer makes it silent."""
    table: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    usable = [vector for vector in golden["reports"] if not vector["decision"]["ignored"]]
    said = {vector["name"]: answers_of(vector) for vector in usable}
    for vector in usable:
        for rule_id in fired_in(vector):
            fires, silent = table[rule_id]
            fires.append(vector["name"])
            for other in usable:
                changed = said[vector["name"]] ^ said[other["name"]]
                if (
                    len({name for name, _ in changed}) == 1
                    and rule_id not in fired_in(other)
                    and other["history_facts"] == vector["history_facts"]
                ):
                    silent.append(other["name"])
    return table


def test_the_vectors_are_served_with_an_etag_and_give_304(
    content_client: TestClient, golden: Json
) -> None:
    response = content_client.get(URL)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert response.content == canonical(golden)
    again = content_client.get(URL, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_vectors_are_those_of_the_rule_set_in_force(
    content_client: TestClient, golden: Json
) -> None:
    in_force = content_client.get("/v1/triage/rule-set").json()
    assert golden["rule_set_version"] == in_force["version"]
    assert golden["rule_set_hash"] == in_force["hash"]
    assert golden["engine"] == in_force["engine"]


def test_the_vectors_match_the_openapi_document_exactly(golden: Json) -> None:
    assert schemas.TriageVectors.model_validate(golden).model_dump(mode="json") == golden


def test_the_server_itself_gets_every_vector_right(
    content_client: TestClient, golden: Json
) -> None:
    stateless = [vector for vector in golden["reports"] if vector["report_id"] is None]
    assert len(stateless) > 150
    for vector in stateless:
        response = content_client.post(
            "/v1/triage/evaluations", json=vector["report"], params={"lang": vector["language"]}
        )
        assert response.content == canonical(vector["decision"]), vector["name"]


def test_every_rule_fires_in_a_vector_and_is_silent_in_one_that_differs_by_one_answer(
    golden: Json, rule_set: RuleSet
) -> None:
    table = coverage(golden)
    ids = [rule["id"] for rule in rule_set.document["rules"]]
    for rule_id in ids:
        fires, silent = table[rule_id]
        print(f"{rule_id}: fires in {len(fires)}, silent in {len(silent)}: {silent[:1]}")  # noqa: T201  # the table itself, for `pytest -rP`
    assert len(ids) > 40
    assert [name for name in ids if not all(table[name])] == []


@pytest.mark.parametrize("fact", ["persistent_in_history", "pain_risen_in_history"])
def test_a_history_fact_alone_makes_a_rule_fire(golden: Json, fact: str) -> None:
    by_name = {vector["name"]: vector for vector in golden["reports"]}
    with_it = by_name[f"history-{fact.replace('_', '-')}"]
    assert with_it["report"] == by_name["stored"]["report"]
    assert fired_in(with_it) > fired_in(by_name["stored"])
    assert with_it["decision"]["id"] != by_name["stored"]["decision"]["id"]


def test_every_rule_for_sessions_gives_advice_in_a_vector_and_is_silent_in_another(
    golden: Json, rule_set: RuleSet
) -> None:
    for language in rule_set.document["languages"]:
        for rule in rule_set.document["session_rules"]:
            found = {
                rule["id"] in {advice["rule_id"] for advice in vector["advice"]}
                for vector in golden["sessions"]
                if vector["language"] == language
            }
            assert found == {True, False}, rule["id"]


def test_the_vectors_have_every_reason_for_ignoring_and_at_most_fifty_places(golden: Json) -> None:
    decisions = [vector["decision"] for vector in golden["reports"]]
    found = {
        (part["code"], decision["level"]) for decision in decisions for part in decision["ignored"]
    }
    assert {code for code, _ in found} == {
        "unknown_field",
        "unknown_question",
        "unknown_choice",
        "invalid_value",
    }
    # Metadata and a country do not affect the answers.
    assert ("unknown_field", "self_care") in found
    assert ("unknown_question", "self_care") not in found
    totals = [(len(decision["ignored"]), decision["ignored_total"]) for decision in decisions]
    assert (50, 60) in totals
    assert all(listed == min(50, total) for listed, total in totals)


def test_the_vectors_reach_every_level_in_every_language(golden: Json, rule_set: RuleSet) -> None:
    decisions = [vector["decision"] for vector in golden["reports"]]
    levels = [level["id"] for level in rule_set.document["levels"]]
    assert {decision["level"] for decision in decisions} == set(levels)
    assert {vector["language"] for vector in golden["reports"]} == {"en", "es"}


NAMED = {
    "all-benign": "self_care",
    "nothing-answered": "screening_incomplete",
    "article-severe-pain": "see_professional",
    "article-severe-pain-just-below": "self_care",
    "article-persistent-pain": "see_professional",
    "article-persistent-pain-just-below": "self_care",
    "article-radiating-pain": "see_professional",
    "article-numbness-in-a-leg": "see_professional",
    "article-numbness-elsewhere": "see_professional",
    "both-sides-pain-and-numbness": "emergency",
    "one-side-in-two-answers": "see_professional",
    "both-sides-known-and-stable": "see_professional",
    "both-sides-known-but-worse": "emergency",
    "both-sides-known-but-trend-open": "emergency",
    "both-sides-not-known-for-long": "emergency",
    "weak-leg-known-and-stable": "see_professional",
    "saddle-numbness-is-never-known-and-stable": "emergency",
    "assessed-and-better": "self_care",
    "assessed-and-the-same": "see_professional",
    "assessed-and-worse": "see_professional",
    "assessed-but-trend-open": "see_professional",
    "not-asked-if-known-long": "self_care",
    "not-asked-about-pregnancy": "self_care",
    "not-asked-about-pregnancy-past-60": "self_care",
    "asked-about-pregnancy": "see_professional",
    "asked-about-pregnancy-while-it-is-unknown": "screening_incomplete",
    "an-answer-counts-whether-it-was-asked-for-or-not": "urgent",
    "worried-and-not-asked-on": "see_professional",
    "not-worried-and-not-asked-on": "self_care",
    "saddle-numbness-without-pain": "emergency",
    "must-ask-left-open": "screening_incomplete",
    "optional-left-open": "self_care",
    "left-open-that-could-make-it-urgent": "screening_incomplete",
    "only-both-legs-answered": "emergency",
    "only-one-leg-answered": "see_professional",
}


@pytest.mark.parametrize(("name", "level"), NAMED.items())
def test_a_case_written_by_hand_gets_the_expected_level(
    golden: Json, name: str, level: str
) -> None:
    (vector,) = [vector for vector in golden["reports"] if vector["name"] == name]
    assert vector["decision"]["level"] == level


def test_only_the_decision_on_a_report_that_is_a_day_late_states_its_date(golden: Json) -> None:
    notices = {
        vector["name"]: " ".join(vector["decision"]["notices"]) for vector in golden["reports"]
    }
    for language in ("en", "es"):
        assert "2026-11-21" in notices[f"late-by-a-day-{language}"]
        assert "2026-11" not in notices[f"late-by-a-second-less-{language}"]


def test_no_two_vectors_have_the_same_name_or_content(golden: Json) -> None:
    every = [*golden["reports"], *golden["sessions"]]
    names = [vector["name"] for vector in every]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    contents = {canonical({**vector, "name": ""}) for vector in every}
    assert len(contents) == len(every)


def test_the_same_rule_set_makes_the_same_bytes(catalogue: Catalogue) -> None:
    document = reviewed_document(catalogue)
    assert vector_answers(document) == vector_answers(document)


def test_a_rule_set_without_one_of_the_questions_has_valid_vectors(catalogue: Catalogue) -> None:
    document = reviewed_document(catalogue)
    document["languages"] = ["en"]
    for part in ("questions", "facts"):
        document[part] = [entry for entry in document[part] if entry["id"] != "worried"]
    for screen in document["screens"]:
        screen["questions"] = [name for name in screen["questions"] if name != "worried"]
    for fact in document["facts"]:
        fact["facts"] = [name for name in fact["facts"] if name != "worried"]
    document["rules"] = [rule for rule in document["rules"] if "worried" not in str(rule)]
    reports = vectors(compile_rule_set(document))["reports"]
    assert len(reports) > 150
    assert not any("worried" in vector["report"]["answers"] for vector in reports)
    assert "many-at-once" not in {vector["name"] for vector in reports}


def test_the_golden_files_are_those_of_the_seeded_rule_set() -> None:
    for name, data in golden_files().items():
        assert (FOLDER / name).read_bytes() == data, "run: python -m tests.triage.golden"
