"""Facts: what rules read. Each is a pair, what is certain and what is possible.

An unknown answer makes a fact possible, not certain. A fact that reassures counts only when it is
given (`not_given` reads the certain half alone, in both passes), so that silence is never a "no".
docs/triage-spec.md describes the same for evaluators in other languages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Answers = Mapping[str, int | str | None]
UNKNOWN = "unknown"
LEFT = frozenset({"left"})
RIGHT = frozenset({"right"})
BOTH = LEFT | RIGHT
CERTAIN_SIDES: Mapping[int | str | None, frozenset[str]] = {
    "left": LEFT,
    "right": RIGHT,
    "both": BOTH,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one report, in the order of the rule set."""

    certain: dict[str, bool]
    possible: dict[str, bool]
    # The questions left open that a fact hangs on.
    open_questions: dict[str, frozenset[str]]


def is_open(answer: int | str | None) -> bool:
    """Tell whether a question has no answer: left out, null and `unknown` are the same."""
    return answer is None or answer == UNKNOWN


def _from_answers(fact: Mapping[str, Any], answers: Answers) -> tuple[bool, bool]:
    values = [answers.get(question) for question in fact["questions"]]
    if fact["kind"] == "both_sides":
        certain: frozenset[str] = frozenset().union(
            *(CERTAIN_SIDES.get(value, frozenset()) for value in values)
        )
        unknown = any(is_open(value) for value in values)
        return certain == BOTH, unknown or certain == BOTH
    (value,) = values
    if is_open(value):
        return False, True
    if fact["kind"] == "answer":
        holds = value in fact["choices"]
    elif fact["kind"] == "at_least":
        holds = int(value) >= fact["value"]  # type: ignore[arg-type]  # open answers are out
    else:
        holds = int(value) <= fact["value"]  # type: ignore[arg-type]
    return holds, holds


def derive(
    definitions: Sequence[Mapping[str, Any]], answers: Answers, history: Iterable[str] = ()
) -> Facts:
    """Compute every fact from the answers of a report, and from what earlier reports say."""
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
        own = {question for question in fact["questions"] if is_open(answers.get(question))}
        open_questions[name] = frozenset(own).union(*(open_questions[part] for part in parts))
    return Facts(certain, possible, open_questions)


def variables(condition: Any) -> Iterator[str]:
    """Name the facts that a condition reads."""
    if isinstance(condition, dict):
        for operator, operands in condition.items():
            if operator == "var":
                # An invalid name is listed too, so that checks can reject it.
                yield str(operands[0] if isinstance(operands, list) and operands else operands)
            else:
                yield from variables(operands)
    elif isinstance(condition, list):
        for operand in condition:
            yield from variables(operand)
