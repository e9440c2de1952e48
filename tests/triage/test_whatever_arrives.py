"""Any JSON object gets a decision of the documented shape, and nothing unusable is an all-clear."""

import datetime
import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.core.canonical import canonical
from api.triage.evaluation import NOTHING_IGNORED, Case, decide
from api.triage.reports import FIELDS, case_of_sent
from api.triage.rules import RuleSet
from tests.support.budget import budget
from tests.support.document import RECORDED
from tests.triage.generators import ODD_NAMES, ODD_VALUES
from tests.triage.reports import Json, mild_report, rank

pytestmark = pytest.mark.fuzz
NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
QUICK = settings(
    max_examples=budget(quick=60, full=2_000),
    database=None,
    suppress_health_check=list(HealthCheck),
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reports(rule_set: RuleSet) -> st.SearchStrategy[Json]:
    """Generate objects like reports: a mild one with invalid parts, or only invalid parts."""
    choices = {c["id"] for question in rule_set.questions.values() for c in question["choices"]}
    names = st.sampled_from([*rule_set.questions, *ODD_NAMES]) | st.text(max_size=80)
    values = st.sampled_from([*sorted(choices), *ODD_VALUES]) | ANYTHING
    parts = st.dictionaries(names, values, max_size=5)
    mild = mild_report(rule_set)

    def put(answers: Json, beside: Json, *, on_mild: bool) -> Json:
        if not on_mild:
            return {"answers": answers, **beside}
        return {**mild, "answers": {**mild["answers"], **answers}, **beside}

    return st.builds(put, parts, parts, on_mild=st.booleans()) | parts


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft202012Validator:
    decision = {"$ref": "#/components/schemas/Decision", "components": RECORDED["components"]}
    return jsonschema_rs.Draft202012Validator(decision, validate_formats=True)


def test_any_object_gets_a_decision_as_documented(
    content_client: TestClient, rule_set: RuleSet, schema: jsonschema_rs.Draft202012Validator
) -> None:
    @QUICK
    @given(sent=reports(rule_set))
    def answered(sent: Json) -> None:
        response = content_client.post(
            "/v1/triage/evaluations",
            content=json.dumps(sent),
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code == 200
        decision = response.json()
        assert [str(fault) for fault in schema.iter_errors(decision)] == []
        assert response.content == canonical(decision)

    answered()


def taken_away(decision: Json, questions: Any) -> bool:
    """Return whether an answer is among the listed ignored parts."""
    names = [part["pointer"].removeprefix("/") for part in decision["ignored"]]
    return any(name.startswith("answers") or name in {*FIELDS, *questions} for name in names)


def test_ignored_parts_prevent_an_all_clear_and_never_hide_an_answer(
    rule_set: RuleSet,
) -> None:
    @QUICK
    @given(sent=reports(rule_set))
    def judged(sent: Json) -> None:
        case = case_of_sent(rule_set, sent, "en", NOW)
        decision, _ = decide(rule_set, case)
        usable = Case(case.answers, "en", NOW, country=case.country)
        assert usable.ignored == NOTHING_IGNORED
        without, _ = decide(rule_set, usable)
        level = rank(without["level"])
        if case.ignored.answers:
            level = max(level, rank("screening_incomplete"))
            assert decision["screening_complete"] is False
            assert decision["activities"]["status"] != "continue"
        else:
            assert decision["activities"] == without["activities"]
            assert decision["screening_complete"] is without["screening_complete"]
        assert rank(decision["level"]) == level
        assert decision["reasons"] == without["reasons"]
        if taken_away(decision, rule_set.questions):
            assert case.ignored.answers
        assert decision["ignored_total"] >= len(decision["ignored"])

    judged()


def test_usable_parts_count_wherever_unusable_ones_are(rule_set: RuleSet) -> None:
    @QUICK
    @given(odd=reports(rule_set))
    def judged(odd: Json) -> None:
        answers = odd.get("answers")
        usable = {**answers, "saddle_numbness": "yes"} if isinstance(answers, dict) else None
        sent = {**odd, "answers": usable or {"saddle_numbness": "yes"}}
        assert decide(rule_set, case_of_sent(rule_set, sent, "en", NOW))[0]["level"] == "emergency"

    judged()
