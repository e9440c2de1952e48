"""Chooses the engine of a rule set, and converts documents of old engines for display. Pure.

New decisions are made only by the engine in force, in `evaluation`. Stored ones are replayed by the
engine of their rule set, and shown in the current format; what is stored never changes.
"""

from collections.abc import Mapping
from typing import Any

from api.content.rule_set import ENGINE
from api.triage import engine_1, evaluation
from api.triage.evaluation import Case, Decided, Json
from api.triage.rules import RuleSet


def decide_as_then(rule_set: RuleSet, case: Case) -> Decided:
    """Return the decision of a rule set's engine, in that engine's format."""
    if rule_set.engine == ENGINE:
        return evaluation.decide(rule_set, case)
    return Decided(*engine_1.decide(rule_set, case))


def level_as_then(rule_set: RuleSet, case: Case) -> str:
    """Return the level alone: an old rule set need not have the texts of the case's language."""
    if rule_set.engine == ENGINE:
        outcome = evaluation.judge_report(rule_set, case.answers, case.history_facts)
        return evaluation.level_of(rule_set, outcome)
    return engine_1.level_of(
        rule_set, engine_1.judge_report(rule_set, case.answers, case.history_facts)
    )


def as_shown(document: Mapping[str, Any]) -> Json:
    """Return a stored decision document in the current format, whichever engine wrote it."""
    if "headline" in document:
        return dict(document)
    rule_set = document["rule_set"]
    kept = {name: value for name, value in document.items() if name not in {"title", "rule_set"}}
    return {
        **kept,
        "headline": document["title"],
        "notices": [],
        "safety_net": [{"title": None, "signs": [document["safety_net"]]}],
        "ignored": [],
        "ignored_total": 0,
        "rule_set_version": rule_set["version"],
        "rule_set_hash": rule_set["hash"],
    }
