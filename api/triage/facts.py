"""Facts: what rules read. Each is a pair, what is certain and what is possible.

An unknown answer makes a fact possible, not certain. A fact that reassures counts only when it is
given (`not_given` reads the certain half alone, in both passes), so that silence is never a "no".
The one exception is a question that is asked if a fact holds: while that fact is not even possible,
and nothing was answered, it counts as answered in the mildest way.
docs/triage-spec.md describes the same for evaluators in other languages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

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


class OpenQuestions(Mapping[str, frozenset[str]]):
    """The questions left open that each fact hangs on; computed for the facts that are looked up.

    Only undecided rules need them, and most reports have few.
    """

    def __init__(self, definitions: Sequence[Mapping[str, Any]], answers: Answers) -> None:
        self._definitions = definitions
        self._answers = answers
        self._by_name: dict[str, Mapping[str, Any]] = {}
        self._found: dict[str, frozenset[str]] = {}

    def __getitem__(self, name: str) -> frozenset[str]:
        if name not in self._found:
            if not self._by_name:
                self._by_name = {fact["id"]: fact for fact in self._definitions}
            fact = self._by_name[name]
            own = [asked for asked in fact["questions"] if is_open(self._answers.get(asked))]
            self._found[name] = frozenset(own).union(*(self[part] for part in fact["facts"]))
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(fact["id"] for fact in self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one report, in the order of the rule set."""

    certain: dict[str, bool]
    possible: dict[str, bool]
    open_questions: Mapping[str, frozenset[str]]
    # The questions that nothing makes necessary: they count as answered mildly.
    closed: frozenset[str] = frozenset()


def is_open(answer: int | str | None) -> bool:
    """Tell whether a question has no answer: left out, null and `unknown` are the same."""
    return answer is None or answer == UNKNOWN


def _from_answers(fact: Mapping[str, Any], answers: Answers) -> tuple[bool, bool]:
    kind = fact["kind"]
    if kind == "both_sides":
        values = [answers.get(question) for question in fact["questions"]]
        certain: frozenset[str] = frozenset().union(
            *(CERTAIN_SIDES.get(value, frozenset()) for value in values)
        )
        unknown = any(is_open(value) for value in values)
        return certain == BOTH, unknown or certain == BOTH
    (question,) = fact["questions"]
    value = answers.get(question)
    if is_open(value):
        return False, True
    if kind == "answer":
        holds = value in fact["choices"]
    elif kind == "at_least":
        holds = int(value) >= fact["value"]  # type: ignore[arg-type]  # open answers are out
    else:
        holds = int(value) <= fact["value"]  # type: ignore[arg-type]
    return holds, holds


class AskedIf(NamedTuple):
    """When a question is asked, and what it counts as while it is not."""

    fact: str
    closed: str


def derive(
    definitions: Sequence[Mapping[str, Any]],
    answers: Answers,
    history: Iterable[str] = (),
    asked_if: Mapping[str, AskedIf] = MappingProxyType({}),
) -> Facts:
    """Compute every fact from the answers of a report, and from what earlier reports say."""
    certain: dict[str, bool] = {}
    possible: dict[str, bool] = {}
    given = dict(answers)
    # Of these it is not yet known whether they are asked: their fact has not been computed.
    waiting: dict[str, list[str]] = {}
    for question, condition in asked_if.items():
        if is_open(given.get(question)):
            waiting.setdefault(condition.fact, []).append(question)
    closed: set[str] = set()
    for fact in definitions:
        name, kind, parts = fact["id"], fact["kind"], fact["facts"]
        if kind == "any":
            certain[name] = any(map(certain.__getitem__, parts))
            possible[name] = any(map(possible.__getitem__, parts))
        elif kind == "all":
            certain[name] = all(map(certain.__getitem__, parts))
            possible[name] = all(map(possible.__getitem__, parts))
        elif kind == "history":
            certain[name] = possible[name] = name in history
        elif kind == "not_given":
            certain[name] = possible[name] = not any(map(certain.__getitem__, parts))
        else:
            certain[name], possible[name] = _from_answers(fact, given)
        if name in waiting and not possible[name]:
            closed.update(waiting[name])
            given |= {question: asked_if[question].closed for question in waiting[name]}
    return Facts(certain, possible, OpenQuestions(definitions, given), frozenset(closed))


def variables(condition: Any) -> Iterator[str]:
    """Name the facts that a condition reads."""
    if isinstance(condition, dict):
        for operator, operands in condition.items():
            if operator == "var":
                # What is no name is named all the same, so that checks can refuse it.
                yield str(operands[0] if isinstance(operands, list) and operands else operands)
            else:
                yield from variables(operands)
    elif isinstance(condition, list):
        for operand in condition:
            yield from variables(operand)
