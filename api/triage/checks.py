"""What must hold of a rule set before it can be seeded."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from datalogic_py import DataLogicError, Engine

from api.content.catalogue import Catalogue
from api.content.loading import SeedFault
from api.content.rule_set import reviewed_document
from api.content.seed import Fact, Question, Rule
from api.content.vocabulary import CareLevel, QuestionType
from api.triage.evaluation import STATUS_ORDER, judge
from api.triage.facts import variables
from api.triage.rules import OPERATORS, compile_rule_set

FACTS_FILE = "triage/facts.json"
RULES_FILE = "triage/rules.json"
MAX_READS = 16


def _fact_faults(fact: Fact, questions: dict[str, Question], earlier: set[str]) -> Iterator[str]:
    reads_questions = fact.kind in {"answer", "at_least", "at_most", "both_sides"}
    if reads_questions != bool(fact.questions) or reads_questions == bool(fact.facts):
        yield f"a fact of kind {fact.kind} reads " + ("questions" if reads_questions else "facts")
    if fact.kind in {"answer", "at_least", "at_most"} and len(fact.questions) != 1:
        yield f"a fact of kind {fact.kind} reads one question"
    if (fact.kind in {"at_least", "at_most"}) != (fact.value is not None):
        yield "value belongs to at_least and at_most, and to them alone"
    if (fact.kind == "answer") != bool(fact.choices):
        yield "choices belong to answer, and to it alone"
    for name in fact.facts:
        if name not in earlier:
            yield f'the fact "{name}" does not stand before this one'
    for name in fact.questions:
        if name in questions:
            yield from _question_faults(fact, questions[name])


def _question_faults(fact: Fact, question: Question) -> Iterator[str]:
    name = question.id
    if fact.kind == "both_sides" and question.type is not QuestionType.SIDES:
        yield f'the question "{name}" has no sides'
    if fact.kind in {"at_least", "at_most"} and question.type is not QuestionType.INTEGER:
        yield f'the question "{name}" is not answered by a number'
    for choice in set(fact.choices) - {choice.id for choice in question.choices}:
        yield f'the question "{name}" has no choice "{choice}"'
    if "unknown" in fact.choices:
        yield "unknown is no answer that a fact could rest on"


def check_facts(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every fact is well made from questions, or from facts that stand before it."""
    questions = {question.id: question for question in catalogue.questions}
    earlier: set[str] = set()
    for index, fact in enumerate(catalogue.facts):
        for message in _fact_faults(fact, questions, earlier):
            yield SeedFault(FACTS_FILE, f"/{index}", message)
        earlier.add(fact.id)


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
    used = set(variables(rule.condition))
    for name in sorted(used - facts):
        yield "/condition", f'reads "{name}", which is neither a fact nor a question\'s fact'
    for name in sorted(used ^ set(rule.reads)):
        yield "/reads", f'"{name}" must stand in reads and in the condition, or in neither'
    for operator in sorted(set(_operators(rule.condition)) - OPERATORS):
        yield "/condition", f'uses the operator "{operator}"; only {sorted(OPERATORS)} are allowed'
    fires = {example.fires for example in rule.examples}
    if fires != {True, False}:
        yield "/examples", "needs one that must fire and one that must not"
    if len(rule.reads) > MAX_READS:
        yield "/reads", f"more than {MAX_READS} facts; make some of them one fact"


def check_rules(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every rule reads known facts, is monotone, and its own examples come out as they say."""
    facts = {fact.id for fact in catalogue.facts}
    well_made = not list(check_facts(catalogue))
    for index, rule in enumerate(catalogue.rules):
        found = list(_rule_faults(rule, facts))
        for place, message in found:
            yield SeedFault(RULES_FILE, f"/{index}{place}", message)
        if found:
            well_made = False
            continue
        try:
            if not _monotone(rule.condition, rule.reads):
                message = "is not monotone: a worse answer could silence it"
                yield SeedFault(RULES_FILE, f"/{index}/condition", message)
        except DataLogicError as error:
            message = f"does not evaluate: {error.error_type}"
            yield SeedFault(RULES_FILE, f"/{index}/condition", message)
            well_made = False
    if well_made:
        yield from _check_examples(catalogue)


def _check_examples(catalogue: Catalogue) -> Iterator[SeedFault]:
    rule_set = compile_rule_set(reviewed_document(catalogue))
    for index, rule in enumerate(catalogue.rules):
        for number, example in enumerate(rule.examples):
            place = f"/{index}/examples/{number}"
            for message in answer_faults(catalogue, dict(example.answers)):
                yield SeedFault(RULES_FILE, f"{place}/answers", message)
            outcome = judge(rule_set, example.answers)
            if any(found["id"] == rule.id for found in outcome.fired) != example.fires:
                message = "fires" if not example.fires else "does not fire"
                yield SeedFault(RULES_FILE, place, f"{rule.id} {message}, against its example")


def answer_faults(catalogue: Catalogue, answers: dict[str, int | str]) -> Iterator[str]:
    """Say which of some answers the questions do not allow."""
    questions = {question.id: question for question in catalogue.questions}
    for name, value in answers.items():
        question = questions.get(name)
        if question is None:
            yield f'"{name}" is not a question'
        elif question.type is QuestionType.INTEGER:
            if not isinstance(value, int):
                yield f'"{name}" is answered by a whole number'
        elif value not in {choice.id for choice in question.choices}:
            yield f'"{name}" has no choice "{value}"'


def check_head(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Levels are all there in their order, and every activity status has its words."""
    wanted = [level.value for level in CareLevel]
    in_order = sorted(catalogue.levels, key=lambda level: level.rank)
    if [level.id.value for level in in_order] != wanted or len(
        {level.rank for level in catalogue.levels}
    ) != len(wanted):
        message = f"needs the levels {', '.join(wanted)}, each with a higher rank"
        yield SeedFault("triage/levels.json", "", message)
    statuses = sorted(entry.status for entry in catalogue.head.activity_status)
    if statuses != sorted(STATUS_ORDER):
        message = f"needs one text for each of {', '.join(STATUS_ORDER)}"
        yield SeedFault("triage/rule-set.json", "/activity_status", message)


ALL = (check_facts, check_rules, check_head)
