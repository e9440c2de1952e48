"""The engine `footing-triage/1`, frozen: it computes old decisions again, and decides nothing new.

Nothing here may change, whatever happens to the engine in force: a decision that was stored under
this one is replayed to the byte. What it shares is the case, the outcome and the conditions, whose
grammar both engines have in common.
"""

import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.core.canonical import content_hash
from api.triage.evaluation import Case, Outcome
from api.triage.facts import Answers, Facts
from api.triage.rules import RuleSet, fired

Json = dict[str, Any]

ENGINE = "footing-triage/1"
_STATUS_ORDER = ("continue", "caution", "pause", "stop")
_NAMESPACE = uuid.UUID("5b0f3c0e-6a0b-5e0a-9b53-0d3c5c1f7a11")
_SIDES: Mapping[int | str | None, frozenset[str]] = {
    "left": frozenset({"left"}),
    "right": frozenset({"right"}),
    "both": frozenset({"left", "right"}),
}


def _is_open(answer: int | str | None) -> bool:
    return answer is None or answer == "unknown"


def _from_answers(fact: Mapping[str, Any], answers: Answers) -> tuple[bool, bool]:
    values = [answers.get(question) for question in fact["questions"]]
    if fact["kind"] == "both_sides":
        sides = {side for value in values for side in _SIDES.get(value, ())}
        both = len(sides) == len(_SIDES["both"])
        return both, both or any(map(_is_open, values))
    (value,) = values
    if _is_open(value):
        return False, True
    if fact["kind"] == "answer":
        holds = value in fact["choices"]
    elif fact["kind"] == "at_least":
        holds = int(value) >= fact["value"]  # type: ignore[arg-type]  # open answers are out
    else:
        holds = int(value) <= fact["value"]  # type: ignore[arg-type]
    return holds, holds


def _derive(
    definitions: Sequence[Mapping[str, Any]], answers: Answers, history: Iterable[str]
) -> Facts:
    certain: dict[str, bool] = {}
    possible: dict[str, bool] = {}
    open_questions: dict[str, frozenset[str]] = {}
    for fact in definitions:
        name, kind, parts = fact["id"], fact["kind"], fact["facts"]
        if kind == "any":
            certain[name] = any(certain[part] for part in parts)
            possible[name] = any(possible[part] for part in parts)
        elif kind == "all":
            certain[name] = all(certain[part] for part in parts)
            possible[name] = all(possible[part] for part in parts)
        elif kind == "history":
            certain[name] = possible[name] = name in history
        elif kind == "not_given":
            certain[name] = possible[name] = not any(certain[part] for part in parts)
        else:
            certain[name], possible[name] = _from_answers(fact, answers)
        own = {question for question in fact["questions"] if _is_open(answers.get(question))}
        open_questions[name] = frozenset(own).union(*(open_questions[part] for part in parts))
    return Facts(certain, possible, open_questions)


def judge_report(rule_set: RuleSet, answers: Answers, history_facts: Sequence[str] = ()) -> Outcome:
    """Evaluate the rules for reports as this engine does."""
    facts = _derive(rule_set.document["facts"], answers, history_facts)
    compiled = rule_set.reports
    outcomes = list(
        zip(
            compiled.rules,
            fired(compiled, facts.certain),
            fired(compiled, facts.possible),
            strict=True,
        )
    )
    return Outcome(
        facts=facts,
        fired=[rule for rule, now, _ in outcomes if now],
        undecided=[rule for rule, now, maybe in outcomes if not now and (maybe or maybe is None)],
        broken=[rule for rule, now, maybe in outcomes if now is None or maybe is None],
        open_must_ask=[name for name in rule_set.must_ask if _is_open(answers.get(name))],
    )


def _ranks(rule_set: RuleSet) -> dict[str, int]:
    return {level["id"]: level["rank"] for level in rule_set.document["levels"]}


def level_of(rule_set: RuleSet, outcome: Outcome) -> str:
    """Return the level as this engine does."""
    levels = [rule["level"] for rule in (*outcome.fired, *outcome.broken)]
    if outcome.open_must_ask:
        levels.append("screening_incomplete")
    return max(levels, key=_ranks(rule_set).__getitem__, default="self_care")


def _reasons(outcome: Outcome, language: str, rank: Mapping[str, int]) -> list[Json]:
    reasons = [
        {
            "rule_id": rule["id"],
            "level": rule["level"],
            "text": rule["text"][language],
            "facts": [name for name in rule["reads"] if outcome.facts.certain.get(name)],
            "source_ids": list(rule["source_ids"]),
        }
        for rule in outcome.fired
    ]
    return sorted(reasons, key=lambda reason: -rank[reason["level"]])


def _unanswered(rule_set: RuleSet, outcome: Outcome, language: str) -> list[Json]:
    rank = _ranks(rule_set)
    could: dict[str, str | None] = dict.fromkeys(outcome.open_must_ask)
    for rule in outcome.undecided:
        for fact in rule["reads"]:
            for question in outcome.facts.open_questions.get(fact, ()):
                known = could.get(question)
                if known is None or rank[rule["level"]] > rank[known]:
                    could[question] = rule["level"]
    return [
        {"question_id": name, "text": question["text"][language], "could_raise_to": could[name]}
        for name, question in rule_set.questions.items()
        if name in could
    ]


def _actions(rule_set: RuleSet, outcome: Outcome) -> list[Mapping[str, Any]]:
    codes = {rule["action"] for rule in (*outcome.fired, *outcome.broken)}
    if outcome.open_must_ask:
        codes.add(rule_set.document["incomplete_action"])
    if not codes:
        codes.add(rule_set.document["complete_action"])
    return [action for action in rule_set.document["actions"] if action["code"] in codes]


def _localise(rule_set: RuleSet, text: str, case: Case) -> str:
    number = rule_set.document["phrases"]["emergency_number"][case.language]
    for known in rule_set.document["countries"]:
        if known["country"] == case.country:
            number = known["emergency_number"]
    return text.replace("{emergency_number}", number)


def _action_text(rule_set: RuleSet, action: Mapping[str, Any], case: Case) -> str:
    text = _localise(rule_set, action["text"][case.language], case)
    if action["timeframe"] != "today":
        return text
    for country in rule_set.document["countries"]:
        if country["country"] == case.country and country["urgent_service"]:
            service = country["urgent_service"][case.language]
            phrase = rule_set.document["phrases"]["urgent_service"][case.language]
            text += " " + phrase.replace("{service}", service)
    return text


def _message(rule_set: RuleSet, level: Mapping[str, Any], case: Case, *, ask_first: bool) -> str:
    phrases = rule_set.document["phrases"]
    parts = []
    if case.reported_at is not None and case.local_date is not None:
        age = case.evaluated_at - case.reported_at
        if age >= datetime.timedelta(days=1):
            late = phrases["late_report"][case.language]
            parts.append(late.replace("{date}", case.local_date.isoformat()))
    if ask_first:
        parts.append(phrases["answer_first"][case.language])
    parts.append(_localise(rule_set, level["message"][case.language], case))
    return " ".join(parts)


def _id(rule_set: RuleSet, outcome: Outcome, case: Case) -> str | None:
    if case.report_id is None:
        return None
    facts = content_hash(
        {
            "certain": outcome.facts.certain,
            "possible": outcome.facts.possible,
            "history": list(case.history_facts),
        }
    )
    return str(uuid.uuid5(_NAMESPACE, f"{case.report_id}/{rule_set.hash}/{facts}"))


def decide(rule_set: RuleSet, case: Case) -> tuple[Json, Outcome]:
    """Return the decision document as this engine wrote it, and the outcome it was made from."""
    language, document = case.language, rule_set.document
    outcome = judge_report(rule_set, case.answers, case.history_facts)
    rank = _ranks(rule_set)
    levels = {level["id"]: level for level in document["levels"]}
    level = level_of(rule_set, outcome)
    possible = max([level, *(rule["level"] for rule in outcome.undecided)], key=rank.__getitem__)
    actions = _actions(rule_set, outcome)
    status = max((action["activities"] for action in actions), key=_STATUS_ORDER.index)
    texts = {entry["status"]: entry["text"] for entry in document["activity_status"]}
    decision = {
        "id": _id(rule_set, outcome, case),
        "level": level,
        "possible_level": possible,
        "screening_complete": not outcome.open_must_ask,
        "see_professional": rank[level] >= rank["see_professional"],
        "title": levels[level]["title"][language],
        "message": _message(rule_set, levels[level], case, ask_first=rank[possible] > rank[level]),
        "actions": [
            {
                "code": action["code"],
                "text": _action_text(rule_set, action, case),
                "timeframe": action["timeframe"],
                "care_setting": action["care_setting"],
            }
            for action in actions
        ],
        "reasons": _reasons(outcome, language, rank),
        "unanswered": _unanswered(rule_set, outcome, language),
        "activities": {"status": status, "text": texts[status][language]},
        "safety_net": document["phrases"]["safety_net"][language],
        "disclaimer": document["phrases"]["disclaimer"][language],
        "rule_set": {"version": document["version"], "hash": rule_set.hash},
        "history_facts": list(case.history_facts),
        "evaluated_at": case.evaluated_at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "language": language,
    }
    return decision, outcome
