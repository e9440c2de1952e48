"""The decision: a pure function of rule set, report, language and clock.

Doubt escalates: a rule that can't be evaluated gives its level as if it had fired, a rule that is
undecided shows in `possible_level` and in the questions to ask, and neither a must-ask question
left open, nor an answer that can't be used, nor an open question that could make it urgent ever
leaves self care. docs/triage-spec.md says the same for evaluators in other languages.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.content.vocabulary import ACTIVITY_STATUSES
from api.core.canonical import simple_content_hash
from api.core.dates import utc_text
from api.triage.facts import Answers, Facts, is_open
from api.triage.rules import CompiledRules, RuleSet, fired

SELF_CARE = "self_care"
INCOMPLETE = "screening_incomplete"
SEE_PROFESSIONAL = "see_professional"
EMERGENCY = "emergency"
# While one of these is possible there is no all-clear, and no activity goes on unchanged.
SERIOUS = frozenset({"urgent", EMERGENCY})
TODAY = "today"
# Placeholders in texts for whom to call, and the country's field with the number.
CALLS = {"emergency_call": "emergency_number", "crisis_call": "crisis_line"}
CAUTION = "caution"
# Where exactly one emergency rule fired, reasons are listed as far as all that a person reads, from
# the headline to the reasons, has no more words than this.
MAX_WORDS = 120
DECISION_NAMESPACE = uuid.UUID("5b0f3c0e-6a0b-5e0a-9b53-0d3c5c1f7a11")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ignored:
    """The parts of a report that cannot be used and count as not answered."""

    # The first places in their order, as JSON Pointers, each with a code.
    places: tuple[tuple[str, str], ...] = ()
    # How many there are in all.
    total: int = 0
    # Whether an answer is among them: the user answered something that could not be used.
    answers: bool = False


NOTHING_IGNORED = Ignored()


@dataclass(frozen=True)
class Case:
    """The inputs of a decision: the answers, and the report, person and time they belong to."""

    answers: Answers
    language: str
    evaluated_at: datetime.datetime
    # Null for a stateless evaluation.
    report_id: uuid.UUID | None = None
    reported_at: datetime.datetime | None = None
    local_date: datetime.date | None = None
    country: str | None = None
    history_facts: tuple[str, ...] = ()
    # Never anything of a stored report: that is stored whole, or refused.
    ignored: Ignored = NOTHING_IGNORED


@dataclass(frozen=True)
class Outcome:
    """Which rules fired, which are undecided, and the facts behind them."""

    facts: Facts
    fired: Sequence[Mapping[str, Any]]
    undecided: Sequence[Mapping[str, Any]]
    # Rules that could not be evaluated at all.
    broken: Sequence[Mapping[str, Any]]
    open_must_ask: Sequence[str]
    # Whether an answer was given that can't be used.
    answers_ignored: bool = False

    @property
    def open_serious(self) -> bool:
        """Return whether an open question could make it urgent, or an emergency."""
        return any(rule["level"] in SERIOUS for rule in self.undecided)

    @property
    def incomplete(self) -> bool:
        """Return whether something is missing without which there is no all-clear."""
        return bool(self.open_must_ask) or self.answers_ignored or self.open_serious


def judge(
    compiled: CompiledRules,
    facts: Facts,
    open_must_ask: Sequence[str] = (),
    *,
    answers_ignored: bool = False,
) -> Outcome:
    """Evaluate every rule over the certain and over the possible facts."""
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
        open_must_ask=list(open_must_ask),
        answers_ignored=answers_ignored,
    )


def judge_report(
    rule_set: RuleSet,
    answers: Answers,
    history_facts: Sequence[str] = (),
    *,
    answers_ignored: bool = False,
) -> Outcome:
    """Evaluate the rules for reports."""
    facts = rule_set.report_facts.derive(answers, history_facts)
    settled = {name for name, answer in answers.items() if not is_open(answer)} | facts.closed
    open_must_ask = [name for name in rule_set.must_ask if name not in settled]
    return judge(rule_set.reports, facts, open_must_ask, answers_ignored=answers_ignored)


def level_of(rule_set: RuleSet, outcome: Outcome) -> str:
    """Return the level: the highest that fired, and what the gaps make of it.

    A rule that can't be evaluated is our fault and not the person's: its level is taken as fired.
    """
    rank = ranks(rule_set)
    levels = [rule["level"] for rule in (*outcome.fired, *outcome.broken)]
    if outcome.incomplete:
        levels.append(INCOMPLETE)
    return max(levels, key=rank.__getitem__, default=SELF_CARE)


def ranks(rule_set: RuleSet) -> dict[str, int]:
    """Return the rank of every level; higher is more serious."""
    return rule_set.ranks


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
    # Stable: within a level, in the order of the rule set.
    return sorted(reasons, key=lambda reason: -rank[reason["level"]])


def _unanswered(rule_set: RuleSet, outcome: Outcome, case: Case) -> list[Json]:
    could: dict[str, str | None] = dict.fromkeys(outcome.open_must_ask)
    asked: dict[str, set[str]] = {level: set() for level in rule_set.levels_by_rank}
    for rule in outcome.undecided:
        asked[rule["level"]] |= rule_set.rule_questions[rule["id"]]
    for level, questions in asked.items():  # the most serious last
        could.update(dict.fromkeys(questions, level))
    answered = {name for name, answer in case.answers.items() if not is_open(answer)}
    answered |= outcome.facts.closed
    return [
        {
            "question_id": name,
            "text": question["text"][case.language],
            "could_raise_to": could[name],
        }
        for name, question in rule_set.questions.items()
        if name in could and name not in answered
    ]


def _asked_for(rule_set: RuleSet, outcome: Outcome) -> set[str]:
    """Return the codes of all that is asked of the person, whether it is shown or not."""
    codes = {rule["action"] for rule in (*outcome.fired, *outcome.broken)}
    if outcome.incomplete:
        codes.add(rule_set.document["incomplete_action"])
    return codes or {_complete_action(rule_set, outcome)}


def _complete_action(rule_set: RuleSet, outcome: Outcome) -> str:
    """Return what is asked where nothing fired: the first whose fact is certain, or that has none.

    What a professional has looked at has an action of its own.
    """
    return next(
        str(entry["action"])
        for entry in rule_set.document["complete_actions"]
        if entry["fact"] is None or outcome.facts.certain.get(entry["fact"])
    )


def _shown(rule_set: RuleSet, outcome: Outcome, level: str) -> list[Mapping[str, Any]]:
    """Return the actions of the decided level, without those that another one replaces."""
    rules = (*outcome.fired, *outcome.broken)
    codes = {rule["action"] for rule in rules if rule["level"] == level}
    codes = codes or _asked_for(rule_set, outcome)
    actions = [action for action in rule_set.document["actions"] if action["code"] in codes]
    replaced = {code for action in actions for code in action["replaces"]}
    return [action for action in actions if action["code"] not in replaced]


def _localise(rule_set: RuleSet, text: str, language: str, country: str | None = None) -> str:
    """Fill in whom to call, in the person's country or in general."""
    if "{" not in text:
        return text
    phrases = rule_set.document["phrases"]
    known = rule_set.countries.get(country or "", {})
    for name, number in CALLS.items():
        if known.get(number):
            call = phrases[name][language].replace("{number}", known[number])
        else:
            call = phrases[f"{name}_anywhere"][language]
        text = text.replace(f"{{{name}}}", call)
    return text


def _action_text(rule_set: RuleSet, action: Mapping[str, Any], case: Case) -> str:
    text = _localise(rule_set, action["text"][case.language], case.language, case.country)
    country = rule_set.countries.get(case.country or "")
    if action["timeframe"] != TODAY or country is None or not country["urgent_service"]:
        return text
    phrase = rule_set.document["phrases"]["urgent_service"][case.language]
    return f"{text} {phrase.replace('{service}', country['urgent_service'][case.language])}"


def _notices(rule_set: RuleSet, case: Case, *, ask_first: bool) -> list[str]:
    """Return the notices: that the report arrived late, that questions are open."""
    phrases = rule_set.document["phrases"]
    notices = []
    if case.reported_at is not None and case.local_date is not None:
        age = case.evaluated_at - case.reported_at
        if age >= datetime.timedelta(days=1):
            late = phrases["late_report"][case.language]
            notices.append(late.replace("{date}", case.local_date.isoformat()))
    if ask_first:
        notices.append(phrases["answer_first"][case.language])
    return notices


def _words(*texts: str) -> int:
    return sum(len(text.split(" ")) for text in texts)


def _brief(reasons: list[Json], outcome: Outcome, words: int) -> list[Json]:
    """Leave out the mildest reasons where one emergency is all there is to read about."""
    if sum(rule["level"] == EMERGENCY for rule in outcome.fired) != 1:
        return reasons
    kept = 1
    words += _words(reasons[0]["text"])
    for reason in reasons[1:]:
        words += _words(reason["text"])
        if words > MAX_WORDS:
            break
        kept += 1
    return reasons[:kept]


def _activities(rule_set: RuleSet, outcome: Outcome, language: str) -> Json:
    """Return the strictest status of all actions, shown or not; with open questions, no `continue`.

    A caution that open questions are the reason for says so.
    """
    codes = _asked_for(rule_set, outcome)
    statuses = [
        action["activities"] for action in rule_set.document["actions"] if action["code"] in codes
    ]
    if outcome.open_serious:
        statuses.append(CAUTION)
    status = max(statuses, key=ACTIVITY_STATUSES.index)
    if status == CAUTION and outcome.open_serious:
        return {
            "status": status,
            "text": rule_set.document["phrases"]["questions_first"][language],
        }
    return {"status": status, "text": rule_set.status_texts[status][language]}


def facts_hash(outcome: Outcome, history_facts: Sequence[str]) -> str:
    """Name the facts that a decision rests on."""
    return simple_content_hash(
        {
            "certain": outcome.facts.certain,
            "possible": outcome.facts.possible,
            "history": list(history_facts),
        }
    )


class Decided(NamedTuple):
    """A decision document, and the outcome it was made from."""

    document: Json
    outcome: Outcome


def decide(rule_set: RuleSet, case: Case) -> Decided:
    """Decide on one report."""
    language, document = case.language, rule_set.document
    outcome = judge_report(
        rule_set, case.answers, case.history_facts, answers_ignored=case.ignored.answers
    )
    rank = ranks(rule_set)
    levels = rule_set.levels
    level = level_of(rule_set, outcome)
    possible = max([level, *(rule["level"] for rule in outcome.undecided)], key=rank.__getitem__)
    shown = _shown(rule_set, outcome, level)
    headline = _localise(rule_set, shown[0]["headline"][language], language, case.country)
    message = _localise(rule_set, levels[level]["message"][language], language, case.country)
    texts = [_action_text(rule_set, action, case) for action in shown]
    notices = _notices(rule_set, case, ask_first=rank[possible] > rank[level])
    words = _words(headline, message, *texts, *notices)
    decision_id = None
    if case.report_id is not None:
        name = f"{case.report_id}/{rule_set.hash}/{facts_hash(outcome, case.history_facts)}"
        decision_id = str(uuid.uuid5(DECISION_NAMESPACE, name))
    decision = {
        "id": decision_id,
        "level": level,
        "possible_level": possible,
        "screening_complete": not outcome.incomplete,
        "see_professional": rank[level] >= rank[SEE_PROFESSIONAL],
        "headline": headline,
        "message": message,
        "actions": [
            {
                "code": action["code"],
                "text": text,
                "timeframe": action["timeframe"],
                "care_setting": action["care_setting"],
            }
            for action, text in zip(shown, texts, strict=True)
        ],
        "notices": notices,
        "reasons": _brief(_reasons(outcome, language, rank), outcome, words),
        "unanswered": _unanswered(rule_set, outcome, case),
        "activities": _activities(rule_set, outcome, language),
        "safety_net": [
            {
                "title": _localise(rule_set, part["title"][language], language, case.country),
                "signs": [sign[language] for sign in part["signs"]],
            }
            for part in document["safety_net"]
        ],
        "disclaimer": document["phrases"]["disclaimer"][language],
        "ignored": [{"pointer": place, "code": code} for place, code in case.ignored.places],
        "ignored_total": case.ignored.total,
        "rule_set_version": document["version"],
        "rule_set_hash": rule_set.hash,
        "history_facts": list(case.history_facts),
        "evaluated_at": utc_text(case.evaluated_at),
        "language": language,
    }
    return Decided(decision, outcome)


def advise(
    rule_set: RuleSet, pain_before: int | None, pain_after: int | None, language: str
) -> list[Json]:
    """Return what the rules say about a session's pain; a rise needs both scores to be given."""
    rise = None if pain_before is None or pain_after is None else pain_after - pain_before
    answers = {"pain_rise": rise, "pain_after": pain_after}
    facts = rule_set.session_facts.derive(answers)
    outcome = judge(rule_set.sessions, facts)
    actions = {action["code"]: action for action in rule_set.document["actions"]}
    return [
        {
            "rule_id": rule["id"],
            "level": rule["level"],
            "headline": _localise(
                rule_set, actions[rule["action"]]["headline"][language], language
            ),
            "text": rule["text"][language],
            "action": {
                "code": rule["action"],
                "text": _localise(rule_set, actions[rule["action"]]["text"][language], language),
                "timeframe": actions[rule["action"]]["timeframe"],
                "care_setting": actions[rule["action"]]["care_setting"],
            },
            "source_ids": list(rule["source_ids"]),
        }
        for rule in rule_set.sessions.rules
        if rule in outcome.fired or rule in outcome.broken
    ]
