"""Checks of a rule set before it is seeded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from datalogic_py import DataLogicError, Engine

from api.content.catalogue import Catalogue
from api.content.loading import SeedFault
from api.content.rule_set import reviewed_document
from api.content.seed import Fact, Question, Rule
from api.content.vocabulary import ACTIVITY_STATUSES, CareLevel, QuestionType
from api.triage.evaluation import judge
from api.triage.facts import derive, variables
from api.triage.rules import (
    MILDEST,
    OPERATORS,
    RuleSet,
    compile_rule_set,
    mildest,
    well_formed,
)

SESSION_RULES_FILE = "triage/session-rules.json"
MAX_READS = 16


def _figure(name: str, minimum: int) -> Question:
    return Question(
        id=name,
        type=QuestionType.INTEGER,
        text={"en": name},
        help=None,
        choices=[],
        minimum=minimum,
        maximum=10,
        must_ask=False,
        asked_if=None,
    )


# What the rules for sessions read: figures of the log, not answers.
SESSION_FIGURES = {"pain_rise": _figure("pain_rise", -10), "pain_after": _figure("pain_after", 0)}


@dataclass(frozen=True)
class Part:
    """Facts and the rules over them: those for reports, or those for sessions."""

    facts_file: str
    rules_file: str
    questions: Mapping[str, Question]
    facts: Sequence[Fact]
    rules: Sequence[Rule]


def parts(catalogue: Catalogue) -> tuple[Part, Part]:
    """Return both parts of the rule set."""
    questions = {question.id: question for question in catalogue.questions}
    return (
        Part(
            "triage/facts.json",
            "triage/rules.json",
            questions,
            catalogue.facts,
            catalogue.rules,
        ),
        Part(
            "triage/session-facts.json",
            SESSION_RULES_FILE,
            SESSION_FIGURES,
            catalogue.session_facts,
            catalogue.session_rules,
        ),
    )


# What a fact of each kind reads; a history fact reads nothing of its own.
READS = {
    "answer": "questions",
    "at_least": "questions",
    "at_most": "questions",
    "both_sides": "questions",
    "any": "facts",
    "all": "facts",
    "not_given": "facts",
    "history": "nothing",
}


def _fact_faults(fact: Fact, questions: Mapping[str, Question], earlier: set[str]) -> Iterator[str]:
    given = {name for name in ("questions", "facts") if getattr(fact, name)}
    if given != {READS[fact.kind]} - {"nothing"}:
        yield f"a fact of kind {fact.kind} reads {READS[fact.kind]}"
    if fact.kind in {"answer", "at_least", "at_most"} and len(fact.questions) > 1:
        yield f"a fact of kind {fact.kind} reads one question"
    if (fact.kind in {"at_least", "at_most"}) != (fact.value is not None):
        yield "value belongs to at_least and at_most, and to them alone"
    if (fact.kind == "answer") != bool(fact.choices):
        yield "only facts of the kind answer have choices"
    for name in fact.facts:
        if name not in earlier:
            yield f'the fact "{name}" is not listed before this one'
    for name in fact.questions:
        if name in questions:
            yield from _question_faults(fact, questions[name])
        else:
            yield f'"{name}" is not a question'


def _question_faults(fact: Fact, question: Question) -> Iterator[str]:
    name = question.id
    if fact.kind == "both_sides" and question.type is not QuestionType.SIDES:
        yield f'the question "{name}" has no sides'
    if fact.kind in {"at_least", "at_most"} and question.type is not QuestionType.INTEGER:
        yield f'the question "{name}" does not have a number as its answer'
    for choice in set(fact.choices) - {choice.id for choice in question.choices}:
        yield f'the question "{name}" has no choice "{choice}"'
    if "unknown" in fact.choices:
        yield "a fact cannot depend on the answer unknown"


def _facts_faults(part: Part) -> Iterator[SeedFault]:
    earlier: set[str] = set()
    for index, fact in enumerate(part.facts):
        for message in _fact_faults(fact, part.questions, earlier):
            yield SeedFault(part.facts_file, f"/{index}", message)
        earlier.add(fact.id)


def check_facts(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every fact is well made from questions, or from facts that are listed before it."""
    for part in parts(catalogue):
        yield from _facts_faults(part)


def _operators(condition: Any) -> Iterator[str]:
    if isinstance(condition, dict):
        for operator, operands in condition.items():
            yield operator
            yield from _operators(operands)
    elif isinstance(condition, list):
        for operand in condition:
            yield from _operators(operand)


def _monotone(condition: Any, reads: list[str]) -> bool:
    """Try every combination of facts: making one true must never make the condition false."""
    rule = Engine(strict_operator_names=True).compile(condition)
    outcomes = {
        values: bool(rule.evaluate(dict(zip(reads, values, strict=True))))
        for values in product((False, True), repeat=len(reads))
    }
    return not any(
        outcomes[values] and not outcomes[*values[:index], True, *values[index + 1 :]]
        for values in outcomes
        for index in range(len(reads))
    )


def _rule_faults(rule: Rule, facts: set[str]) -> Iterator[tuple[str, str]]:
    if not isinstance(rule.condition, dict) or len(rule.condition) != 1:
        yield "/condition", "must be one operator with its operands"
    used = set(variables(rule.condition))
    for name in sorted(used - facts):
        yield "/condition", f'reads "{name}", which is neither a fact nor a question\'s fact'
    for name in sorted(used ^ set(rule.reads)):
        yield "/reads", f'"{name}" must be in reads and in the condition, or in neither'
    for operator in sorted(set(_operators(rule.condition)) - OPERATORS):
        yield "/condition", f'uses the operator "{operator}"; only {sorted(OPERATORS)} are allowed'
    fires = {example.fires for example in rule.examples}
    if fires != {True, False}:
        yield "/examples", "needs one that must fire and one that must not"
    if len(rule.reads) > MAX_READS:
        yield "/reads", f"more than {MAX_READS} facts; make some of them one fact"


def check_rules(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every rule reads known facts, is monotone, and its own examples come out as they say."""
    well_made = True
    for part in parts(catalogue):
        faults = [*_facts_faults(part), *_condition_faults(part)]
        well_made = well_made and not faults
        # The faults of the facts are reported by their own check.
        yield from (fault for fault in faults if fault.file == part.rules_file)
    if well_made:
        rule_set = compile_rule_set(reviewed_document(catalogue))
        for part in parts(catalogue):
            yield from _example_faults(part, rule_set)


def _condition_faults(part: Part) -> Iterator[SeedFault]:
    facts = {fact.id for fact in part.facts}
    for index, rule in enumerate(part.rules):
        found = list(_rule_faults(rule, facts))
        for place, message in found:
            yield SeedFault(part.rules_file, f"/{index}{place}", message)
        if found:
            continue
        try:
            monotone = _monotone(rule.condition, rule.reads)
        except DataLogicError as error:
            message = f"does not evaluate: {error.error_type}"
            yield SeedFault(part.rules_file, f"/{index}/condition", message)
            continue
        if not monotone:
            message = "is not monotone: a worse answer could stop it from firing"
            yield SeedFault(part.rules_file, f"/{index}/condition", message)
        if not well_formed(rule.condition):
            message = "does not follow docs/triage-spec.md; devices could not evaluate it"
            yield SeedFault(part.rules_file, f"/{index}/condition", message)


def _example_faults(part: Part, rule_set: RuleSet) -> Iterator[SeedFault]:
    compiled = rule_set.sessions if part.rules_file == SESSION_RULES_FILE else rule_set.reports
    facts = [fact.model_dump(mode="json") for fact in part.facts]
    for index, rule in enumerate(part.rules):
        for number, example in enumerate(rule.examples):
            place = f"/{index}/examples/{number}"
            found = list(_answer_faults(part.questions, example.answers))
            for message in found:
                yield SeedFault(part.rules_file, f"{place}/answers", message)
            if found:
                continue
            conditions = {} if compiled is rule_set.sessions else rule_set.asked_if
            outcome = judge(compiled, derive(facts, example.answers, (), conditions))
            if any(other["id"] == rule.id for other in outcome.fired) != example.fires:
                message = "fires" if not example.fires else "does not fire"
                yield SeedFault(part.rules_file, place, f"{rule.id} {message}, against its example")


def _answer_faults(
    questions: Mapping[str, Question], answers: Mapping[str, int | str]
) -> Iterator[str]:
    for name, value in answers.items():
        question = questions.get(name)
        if question is None:
            yield f'"{name}" is not a question'
        elif question.type is QuestionType.INTEGER:
            if not isinstance(value, int):
                yield f'"{name}" needs a whole number as its answer'
        elif value not in {choice.id for choice in question.choices}:
            yield f'"{name}" has no choice "{value}"'


def _asked_if_faults(catalogue: Catalogue) -> Iterator[tuple[int, str]]:
    place = {fact.id: index for index, fact in enumerate(catalogue.facts)}
    for index, question in enumerate(catalogue.questions):
        if question.asked_if is None:
            continue
        if mildest(question.model_dump(mode="json")) is None:
            yield index, f"needs one of the choices {', '.join(MILDEST)} to be asked conditionally"
        known = place.get(question.asked_if)
        if known is None:
            yield index, f'"{question.asked_if}" is not a fact'
            continue
        for fact in catalogue.facts[: known + 1]:
            if question.id in fact.questions:
                yield index, f'the fact "{fact.id}" reads it before "{question.asked_if}" is known'


def check_questions(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every conditional question hangs on a fact that is known before the question is read."""
    for index, message in _asked_if_faults(catalogue):
        yield SeedFault("triage/questions.json", f"/{index}/asked_if", message)


def _questions_of(catalogue: Catalogue, name: str) -> set[str]:
    """Return all questions that a fact rests on."""
    facts = {fact.id: fact for fact in catalogue.facts}
    if name not in facts:
        return set()
    return set(facts[name].questions).union(
        *(_questions_of(catalogue, part) for part in facts[name].facts)
    )


def check_screens(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every question is on one screen, and none before what decides whether it is asked."""
    listed = [name for screen in catalogue.screens for name in screen.questions]
    for index, question in enumerate(catalogue.questions):
        if catalogue.screens and listed.count(question.id) != 1:
            message = "must be on one screen of triage/screens.json"
            yield SeedFault("triage/questions.json", f"/{index}", message)
    asked_if = {question.id: question.asked_if for question in catalogue.questions}
    earlier: set[str] = set()
    for index, screen in enumerate(catalogue.screens):
        earlier.update(screen.questions)
        for number, name in enumerate(screen.questions):
            for other in sorted(_questions_of(catalogue, asked_if.get(name) or "") - earlier):
                message = f'is asked before "{other}", which decides whether it is'
                yield SeedFault("triage/screens.json", f"/{index}/questions/{number}", message)


def check_head(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Levels are all there in their order, and every activity status has its words."""
    wanted = [level.value for level in CareLevel]
    in_order = sorted(catalogue.levels, key=lambda level: level.rank)
    if [level.id.value for level in in_order] != wanted or len(
        {level.rank for level in catalogue.levels}
    ) != len(wanted):
        message = f"needs the levels {', '.join(wanted)}, each with a higher rank"
        yield SeedFault("triage/levels.json", "", message)
    known = {fact.id for fact in catalogue.facts}
    *conditional, last = catalogue.head.complete_actions
    if last.fact is not None or any(entry.fact not in known for entry in conditional):
        message = "each but the last needs a fact, and the last none"
        yield SeedFault("triage/rule-set.json", "/complete_actions", message)
    statuses = sorted(entry.status for entry in catalogue.head.activity_status)
    if statuses != sorted(ACTIVITY_STATUSES):
        message = f"needs one text for each of {', '.join(ACTIVITY_STATUSES)}"
        yield SeedFault("triage/rule-set.json", "/activity_status", message)


def check_actions(catalogue: Catalogue) -> Iterator[SeedFault]:
    """No answer can hold an action that is later or gentler than another one beside it.

    Of the rules of one level, any may fire together: their actions agree on the timeframe and on
    the activities, or one replaces the other.
    """
    place = {action.code: index for index, action in enumerate(catalogue.actions)}
    for index, action in enumerate(catalogue.actions):
        for name in action.replaces:
            if place.get(name, -1) <= index:
                message = f'"{name}" must be an action behind this one'
                yield SeedFault("triage/actions.json", f"/{index}/replaces", message)
    levels: dict[CareLevel, set[str]] = {}
    for rule in catalogue.rules:
        levels.setdefault(CareLevel(rule.level), set()).add(rule.action)
    for codes in levels.values():
        beside = [action for action in catalogue.actions if action.code in codes]
        for one, other in combinations(beside, 2):
            alike = (one.timeframe, one.activities) == (other.timeframe, other.activities)
            if not alike and other.code not in one.replaces:
                message = f"must be replaced by {one.code}, or ask for the same, as soon"
                yield SeedFault("triage/actions.json", f"/{place[other.code]}", message)


ALL = (check_facts, check_questions, check_screens, check_rules, check_head, check_actions)
