"""Screens: questions that are ticked together, so that a healthy person is soon through. Pure.

docs/triage-spec.md describes the same for evaluators in other languages.
"""

from collections.abc import Collection, Sequence

from api.triage.evaluation import EMERGENCY, Json, judge_report, level_of
from api.triage.facts import Answers, is_open
from api.triage.rules import RuleSet, mildest


def next_screen(
    rule_set: RuleSet,
    answers: Answers,
    history_facts: Sequence[str] = (),
    skipped: Collection[str] = (),
) -> Json | None:
    """Return the first screen that asks something, with the questions that it asks.

    Null if there is none, and as soon as the answers make it an emergency: then the person has to
    read what to do.
    """
    outcome = judge_report(rule_set, answers, history_facts)
    if level_of(rule_set, outcome) == EMERGENCY:
        return None
    for screen in rule_set.document["screens"]:
        asked = [
            name
            for name in screen["questions"]
            if is_open(answers.get(name)) and name not in outcome.facts.closed
        ]
        if asked and screen["id"] not in skipped:
            return {"screen_id": screen["id"], "questions": asked}
    return None


def confirmation(rule_set: RuleSet, screen: Json) -> dict[str, str]:
    """Return the answers that confirming a screen gives to what was not ticked on it.

    Numbers, and choices that have no mild one, are answered one by one and stay open here.
    """
    mild = {name: mildest(rule_set.questions[name]) for name in screen["questions"]}
    return {name: choice for name, choice in mild.items() if choice is not None}
