"""A rule set, compiled: the whole of it as one array, and each rule by itself to fall back on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import structlog
from datalogic_py import DataLogicError, Engine, Rule

from api.content.rule_set import ENGINE, REPLAYED_ENGINES
from api.triage.facts import AskedIf, CompiledFacts

# Monotone operators alone: more or worse answers can then never silence a rule. No arithmetic
# (libraries disagree on it) and no clock.
OPERATORS = frozenset({"var", "and", "or", "===", "in"})
FACT_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

# The answers of a question that is not ticked, or not asked.
MILDEST = ("no", "none")

log = structlog.get_logger(__name__)


# The language that every seed folder has.
LAST_RESORT = "en"


class UnknownEngine(Exception):
    """The rule set is for another engine."""


@dataclass(frozen=True)
class CompiledRules:
    """A list of rules: as one array, and each by itself."""

    rules: Sequence[Mapping[str, Any]]
    together: Rule | None
    one_by_one: Sequence[Rule | None]


@dataclass(frozen=True)
class RuleSet:
    """A rule set that can be evaluated."""

    hash: str
    engine: str
    document: Mapping[str, Any]
    questions: Mapping[str, Mapping[str, Any]]
    asked_if: Mapping[str, AskedIf]
    reports: CompiledRules
    sessions: CompiledRules

    def language_for(self, language: str) -> str:
        """Return a language that there are texts in: this one, or the one of last resort."""
        return language if language in self.document["languages"] else LAST_RESORT

    # What every decision needs is worked out once.

    @cached_property
    def must_ask(self) -> tuple[str, ...]:
        """The questions without which screening is not complete."""
        return tuple(name for name, question in self.questions.items() if question["must_ask"])

    @cached_property
    def report_facts(self) -> CompiledFacts:
        """The facts that the rules for reports read."""
        return CompiledFacts(self.document["facts"], self.asked_if)

    @cached_property
    def session_facts(self) -> CompiledFacts:
        """The facts that the rules for sessions read."""
        return CompiledFacts(self.document["session_facts"])

    @cached_property
    def rule_questions(self) -> dict[str, frozenset[str]]:
        """The questions that each rule for reports hangs on, by its id.

        What reads no fact of the rule set is broken, and must not stop a decision.
        """
        known = self.report_facts.questions
        return {
            rule["id"]: frozenset().union(*(known.get(fact, ()) for fact in rule["reads"]))
            for rule in self.reports.rules
        }

    @cached_property
    def encoded_questions(self) -> dict[tuple[str, str | None, str], bytes]:
        """Open questions as JSON, by id, level and language; filled as they are asked."""
        return {}

    @cached_property
    def levels(self) -> dict[str, Mapping[str, Any]]:
        """The levels by id."""
        return {level["id"]: level for level in self.document["levels"]}

    @cached_property
    def ranks(self) -> dict[str, int]:
        """The rank of every level; higher is more serious."""
        return {level["id"]: level["rank"] for level in self.document["levels"]}

    @cached_property
    def levels_by_rank(self) -> tuple[str, ...]:
        """The levels, the least serious first."""
        return tuple(sorted(self.ranks, key=self.ranks.__getitem__))

    @cached_property
    def status_texts(self) -> dict[str, Mapping[str, str]]:
        """The text of every activity status, by language."""
        return {entry["status"]: entry["text"] for entry in self.document["activity_status"]}

    @cached_property
    def countries(self) -> dict[str, Mapping[str, Any]]:
        """The countries by code."""
        return {entry["country"]: entry for entry in self.document["countries"]}


def well_formed(condition: Any) -> bool:
    """Return whether a rule condition follows the grammar of docs/triage-spec.md.

    Within it all JsonLogic libraries agree; outside of it they differ, so that such a condition
    counts as broken here and on every device.
    """
    match condition:
        case {"var": str(name), **others}:
            return not others and FACT_NAME.fullmatch(name) is not None
        case {"and": [_, *_] as operands, **others} | {"or": [_, *_] as operands, **others}:
            return not others and all(map(well_formed, operands))
        case {"===": [left, right], **others}:
            return not others and all(isinstance(x, bool) or well_formed(x) for x in (left, right))
        case {"in": [sought, [*values]], **others}:
            return not others and well_formed(sought) and all(isinstance(x, bool) for x in values)
    return False


def compile_rule(engine: Engine, condition: Any) -> Rule | None:
    """Compile a rule condition; None when it can't be evaluated, which makes its rule broken."""
    if not well_formed(condition):
        log.error("rule is not well formed", condition=condition)
        return None
    try:
        return engine.compile(condition)
    except DataLogicError:
        log.exception("rule does not compile")
        return None


def compile_rules(engine: Engine, rules: Sequence[Mapping[str, Any]]) -> CompiledRules:
    """Compile a list of rules."""
    conditions = [rule["condition"] for rule in rules]
    one_by_one = [compile_rule(engine, condition) for condition in conditions]
    return CompiledRules(
        rules=rules,
        together=None if None in one_by_one else engine.compile(conditions),
        one_by_one=one_by_one,
    )


def mildest(question: Mapping[str, Any]) -> str | None:
    """Return the choice that says that nothing is the matter, of a question that can be ticked."""
    choices = [choice["id"] for choice in question["choices"]]
    return next((choice for choice in MILDEST if choice in choices), None)


def asked_if(questions: Sequence[Mapping[str, Any]]) -> dict[str, AskedIf]:
    """Return the questions that are asked only if a fact is possible."""
    return {
        question["id"]: AskedIf(question["asked_if"], closed)
        for question in questions
        # The first engine had no such questions.
        if question.get("asked_if") is not None and (closed := mildest(question)) is not None
    }


def compile_rule_set(document: Mapping[str, Any]) -> RuleSet:
    """Compile a rule-set document."""
    if document["engine"] not in {ENGINE, *REPLAYED_ENGINES}:
        message = f"the rule set needs {document['engine']}, this is {ENGINE}"
        raise UnknownEngine(message)
    engine = Engine(strict_operator_names=True)
    return RuleSet(
        hash=document["hash"],
        engine=document["engine"],
        document=document,
        questions={question["id"]: question for question in document["questions"]},
        asked_if=asked_if(document["questions"]),
        reports=compile_rules(engine, document["rules"]),
        sessions=compile_rules(engine, document["session_rules"]),
    )


def _one(rule: Rule | None, facts: Mapping[str, bool]) -> bool | None:
    if rule is None:
        return None
    try:
        outcome = rule.evaluate(dict(facts))
    except DataLogicError:
        log.exception("rule does not evaluate")
        return None
    return outcome if isinstance(outcome, bool) else None


def fired(compiled: CompiledRules, facts: Mapping[str, bool]) -> list[bool | None]:
    """Return for every rule whether it is true of these facts; None if it can't be evaluated.

    One evaluation of the whole array costs a tenth of as many single ones; when it errors, each
    rule is asked by itself, so that one bad rule can't silence the others.
    """
    if compiled.together is not None:
        try:
            outcome = compiled.together.evaluate(dict(facts))
        except DataLogicError:
            log.exception("rule set does not evaluate as one")
        else:
            if len(outcome) == len(compiled.rules) and {bool}.issuperset(map(type, outcome)):
                return list(outcome)
    return [_one(rule, facts) for rule in compiled.one_by_one]
