"""Reports as a device sends them: every question answered mildly, with some changes."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from api.triage.reports import FIELDS
from api.triage.rules import RuleSet

Json = dict[str, Any]
MILD_NUMBERS = {"pain_score": 2, "weeks": 1, "age_years": 40}
MILD_CHOICES = ("no", "none", "better", "lower_back")
LEVELS = ("self_care", "screening_incomplete", "see_professional", "urgent", "emergency")


def mild_answers(rule_set: RuleSet) -> dict[str, int | str | None]:
    """Answer every question of the rule set unremarkably."""
    answers: dict[str, int | str | None] = {}
    for name, question in rule_set.questions.items():
        choices = {choice["id"] for choice in question["choices"]}
        mild = [choice for choice in MILD_CHOICES if choice in choices]
        answers[name] = mild[0] if mild else MILD_NUMBERS[name]
    return answers


def as_report(answers: Mapping[str, int | str | None]) -> Json:
    """Write answers as the body of a report: some questions have their own fields."""
    fields = {name: value for name, value in answers.items() if name in FIELDS}
    others = {name: value for name, value in answers.items() if name not in FIELDS}
    return {**fields, "answers": others}


def mild_report(rule_set: RuleSet, **changes: int | str | None) -> Json:
    return as_report({**mild_answers(rule_set), **changes})


def evaluate(client: httpx.Client, report: Json, **headers: str) -> Json:
    # As ASCII: half a surrogate pair cannot be sent in any other way.
    sent = json.dumps(report)
    content = {"Content-Type": "application/json"}
    response = client.post("/v1/triage/evaluations", content=sent, headers=headers | content)
    assert response.status_code == 200, response.text
    decision: Json = response.json()
    return decision


def fired_rules(decision: Json) -> set[str]:
    return {reason["rule_id"] for reason in decision["reasons"]}


def rank(level: str) -> int:
    return LEVELS.index(level)
