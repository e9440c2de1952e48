"""A rule set for people to read: a table for clinicians, and what a changed one would change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from markupsafe import Markup

from api.triage.evaluation import Case, decide
from api.triage.facts import variables
from api.triage.rules import RuleSet

Format = Literal["markdown", "html"]
Table = tuple[Sequence[str], list[list[str]]]
# Compared one by one: the advice comes first.
COMPARED = ("level", "possible_level", "screening_complete", "actions", "activities", "reasons")
PAGE = Markup(
    '<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>\n"
    "body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}\n"
    "table {{ border-collapse: collapse; margin: 1rem 0 }}\n"
    "th, td {{ border: 1px solid; padding: .3rem .6rem; text-align: left; vertical-align: top }}\n"
    "</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
)


def in_words(condition: Any) -> str:
    """Write a condition as a person would say it."""
    if isinstance(condition, dict):
        ((operator, operands),) = condition.items()
        if operator == "var":
            return str(operands)
        if operator in {"and", "or"}:
            return f" {operator} ".join(_bracketed(operand, operator) for operand in operands)
        left, right = operands
        return f"{in_words(left)} {'is' if operator == '===' else 'is one of'} {in_words(right)}"
    return str(condition)


def _bracketed(condition: Any, outer: str) -> str:
    words = in_words(condition)
    inner = next(iter(condition)) if isinstance(condition, dict) else outer
    return f"({words})" if inner in {"and", "or"} and inner != outer else words


def fact_in_words(fact: Mapping[str, Any]) -> str:
    """Write what a fact rests on."""
    questions, facts = ", ".join(fact["questions"]), fact["facts"]
    words = {
        "answer": f"{questions}: {' or '.join(fact['choices'])}",
        "at_least": f"{questions} ≥ {fact['value']}",
        "at_most": f"{questions} ≤ {fact['value']}",
        "both_sides": f"left and right, taken together over {questions}",
        "any": " or ".join(facts),
        "all": " and ".join(facts),
        "not_given": f"not given: {', '.join(facts)}",
        "history": "the participant's earlier reports say so",
    }
    return words[fact["kind"]]


def _marks(rule: Mapping[str, Any]) -> str:
    marks = {"design choice": rule["design_choice"], "needs a clinician": rule["needs_clinician"]}
    return ", ".join(mark for mark, holds in marks.items() if holds)


def rules_table(
    rule_set: RuleSet, rules: Sequence[Mapping[str, Any]], language: str, uses: Mapping[str, int]
) -> Table:
    """List rules with their level, condition, action, words and sources."""
    actions = {action["code"]: action for action in rule_set.document["actions"]}
    head = (
        *("rule", "level", "when", "action", "activities", "text", "explanation", "sources"),
        *("marks", "vectors", "decision and signature"),
    )
    return head, [
        [
            f"{rule['id']} v{rule['version']}",
            rule["level"],
            in_words(rule["condition"]),
            f"{rule['action']} ({actions[rule['action']]['timeframe']})",
            actions[rule["action"]]["activities"],
            rule["text"][language],
            rule["explanation"][language],
            ", ".join(rule["source_ids"]),
            _marks(rule),
            str(uses.get(rule["id"], 0)),
            "",
        ]
        for rule in rules
    ]


def questions_table(rule_set: RuleSet, language: str) -> Table:
    """List questions in the order of asking, with whom they are asked and their choices."""
    screen_of = {
        name: screen["title"][language]
        for screen in rule_set.document["screens"]
        for name in screen["questions"]
    }
    return ("question", "screen", "text", "choices", "must ask", "asked if"), [
        [
            name,
            screen_of[name],
            " ".join([question["text"][language], (question["help"] or {}).get(language, "")]),
            ", ".join(choice["id"] for choice in question["choices"])
            or f"{question['minimum']} to {question['maximum']}",
            "yes" if question["must_ask"] else "",
            question["asked_if"] or "",
        ]
        for name, question in rule_set.questions.items()
    ]


def actions_table(rule_set: RuleSet, language: str) -> Table:
    """List actions with what they say, what they ask for, and which others they replace."""
    return ("action", "headline", "text", "timeframe", "activities", "replaces"), [
        [
            action["code"],
            action["headline"][language],
            action["text"][language],
            action["timeframe"],
            action["activities"],
            ", ".join(action["replaces"]),
        ]
        for action in rule_set.document["actions"]
    ]


def facts_table(rule_set: RuleSet, facts: Sequence[Mapping[str, Any]]) -> Table:
    """List facts with what they rest on, and the rules that read them."""
    rules = (*rule_set.document["rules"], *rule_set.document["session_rules"])
    return ("fact", "kind", "holds when", "read by"), [
        [
            fact["id"],
            fact["kind"],
            fact_in_words(fact),
            ", ".join(r["id"] for r in rules if fact["id"] in variables(r["condition"])),
        ]
        for fact in facts
    ]


def _markdown(table: Table) -> str:
    head, rows = table
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _html(table: Table) -> Markup:
    head, rows = table
    top = Markup("").join(Markup('<th scope="col">{}</th>').format(cell) for cell in head)
    body = Markup("\n").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)
        )
        for row in rows
    )
    return Markup("<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>").format(
        top, body
    )


def render(
    rule_set: RuleSet,
    review: Mapping[str, Any],
    language: str,
    form: Format,
    uses: Mapping[str, int],
) -> str:
    """Write the whole rule set for a clinician, as Markdown or as one HTML page."""
    document = rule_set.document
    title = f"Rule set {document['version']}"
    notes = [
        f"Hash: {rule_set.hash}",
        f"Review: {review['status']} on {review['reviewed_at']}",
        f"Reviewer: {review['reviewer'] or 'none yet'}",
        "Sign each rule in the last column: agreed, or what to change.",
    ]
    sections = [
        ("Rules for reports", rules_table(rule_set, document["rules"], language, uses)),
        ("Rules for sessions", rules_table(rule_set, document["session_rules"], language, uses)),
        ("Actions", actions_table(rule_set, language)),
        ("Questions", questions_table(rule_set, language)),
        ("Facts of reports", facts_table(rule_set, document["facts"])),
        ("Facts of sessions", facts_table(rule_set, document["session_facts"])),
    ]
    if form == "markdown":
        parts = [f"# {title}", *notes]
        parts += [f"## {name}\n\n{_markdown(table)}" for name, table in sections]
        return "\n\n".join(parts) + "\n"
    body = Markup("\n").join(
        [
            Markup("<h1>{}</h1>").format(title),
            *(Markup("<p>{}</p>").format(note) for note in notes),
            *(Markup("<h2>{}</h2>\n{}").format(name, _html(table)) for name, table in sections),
        ]
    )
    return str(PAGE.format(language=language, title=title, body=body))


@dataclass(frozen=True)
class DecisionDifference:
    """A decision that another rule set makes differently."""

    name: str
    fields: tuple[str, ...]
    level_before: str
    level_after: str
    rules_gone: tuple[str, ...]
    rules_new: tuple[str, ...]

    def __str__(self) -> str:
        level = self.level_before
        if self.level_after != self.level_before:
            level = f"{self.level_before} -> {self.level_after}"
        moved = [f"-{rule}" for rule in self.rules_gone] + [f"+{rule}" for rule in self.rules_new]
        return f"{self.name}: {level} [{', '.join(self.fields)}] {' '.join(moved)}".rstrip()


def decision_differences(
    before: RuleSet, after: RuleSet, cases: Iterable[tuple[str, Case]]
) -> Iterator[DecisionDifference]:
    """Decide every case with both rule sets; yield those that come out differently."""
    for name, given in cases:
        case = replace(given, language="en")
        old, _ = decide(before, case)
        new, _ = decide(after, case)
        fields = tuple(field for field in COMPARED if old[field] != new[field])
        if fields:
            had = {reason["rule_id"] for reason in old["reasons"]}
            has = {reason["rule_id"] for reason in new["reasons"]}
            yield DecisionDifference(
                name,
                fields,
                old["level"],
                new["level"],
                tuple(sorted(had - has)),
                tuple(sorted(has - had)),
            )


def rule_set_differences(before: RuleSet, after: RuleSet) -> Iterator[str]:
    """Name the rules, facts and questions that were added, taken away or changed."""
    for part in (
        "questions",
        "screens",
        "facts",
        "rules",
        "session_facts",
        "session_rules",
        "actions",
    ):
        key = "code" if part == "actions" else "id"
        old = {entry[key]: entry for entry in before.document[part]}
        new = {entry[key]: entry for entry in after.document[part]}
        for name in sorted({*old, *new}):
            if name not in new:
                yield f"{part}: {name} is gone"
            elif name not in old:
                yield f"{part}: {name} is new"
            elif old[name] != new[name]:
                fields = [field for field in new[name] if new[name][field] != old[name].get(field)]
                yield f"{part}: {name} changed in {', '.join(fields)}"
