"""Facts: what rules read. Each is a pair, what is certain and what is possible.

An unknown answer makes a fact possible, not certain. A fact that reassures counts only when it is
given (`not_given` reads the certain half alone, in both passes), so that silence is never a "no".
The one exception is a question that is asked if a fact holds: while that fact is not even possible,
and nothing was answered, it counts as answered in the mildest way.
docs/triage-spec.md describes the same for evaluators in other languages.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

Answers = Mapping[str, int | str | None]
OF_ONE_QUESTION = frozenset({"answer", "at_least", "at_most"})
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
    open_questions: Mapping[str, frozenset[str]]
    # The questions that nothing makes necessary: they count as answered mildly.
    closed: frozenset[str] = frozenset()


def is_open(answer: int | str | None) -> bool:
    """Return whether a question has no answer: omitted, null and `unknown` are the same."""
    return answer is None or answer == UNKNOWN


class OpenQuestions(Mapping[str, frozenset[str]]):
    """The questions left open that each fact hangs on; few facts are ever looked up."""

    def __init__(self, questions: Mapping[str, frozenset[str]], answers: Answers) -> None:
        self._questions = questions
        self._answered = {name for name, answer in answers.items() if not is_open(answer)}

    def __getitem__(self, fact: str) -> frozenset[str]:
        """Return the open questions of a fact."""
        return self._questions[fact] - self._answered

    def __iter__(self) -> Iterator[str]:
        return iter(self._questions)

    def __len__(self) -> int:
        return len(self._questions)


Values = dict[str, bool]
# Adds the certain and the possible value of one fact to those before it. It is given the questions
# that are answered.
Step = Callable[[Answers, Iterable[str], Values, Values], None]


def _answer_step(name: str, question: str, holds: Callable[[Any], bool]) -> Step:
    def step(answers: Answers, _: Iterable[str], certain: Values, possible: Values) -> None:
        certain[name] = possible[name] = holds(answers[question])

    return step


def _both_sides_step(name: str, questions: Sequence[str]) -> Step:
    def step(answers: Answers, _: Iterable[str], certain: Values, possible: Values) -> None:
        values = [answers.get(question) for question in questions]
        sides: frozenset[str] = frozenset().union(
            *(CERTAIN_SIDES.get(value, frozenset()) for value in values)
        )
        certain[name] = sides == BOTH
        possible[name] = sides == BOTH or None in values

    return step


def _parts_step(name: str, kind: str, parts: Sequence[str]) -> Step:
    def any_step(_: Answers, __: Iterable[str], certain: Values, possible: Values) -> None:
        certain[name] = True in map(certain.__getitem__, parts)
        possible[name] = True in map(possible.__getitem__, parts)

    def all_step(_: Answers, __: Iterable[str], certain: Values, possible: Values) -> None:
        certain[name] = False not in map(certain.__getitem__, parts)
        possible[name] = False not in map(possible.__getitem__, parts)

    def not_given_step(_: Answers, __: Iterable[str], certain: Values, possible: Values) -> None:
        certain[name] = possible[name] = True not in map(certain.__getitem__, parts)

    return {"any": any_step, "all": all_step, "not_given": not_given_step}[kind]


def _history_step(name: str) -> Step:
    def step(_: Answers, history: Iterable[str], certain: Values, possible: Values) -> None:
        certain[name] = possible[name] = name in history

    return step


def _step(fact: Mapping[str, Any]) -> Step:
    """Compile the definition of a fact."""
    name, kind, questions = fact["id"], fact["kind"], fact["questions"]
    if kind == "history":
        return _history_step(name)
    if kind == "both_sides":
        return _both_sides_step(name, questions)
    if kind in {"any", "all", "not_given"}:
        return _parts_step(name, kind, fact["facts"])
    (question,) = questions
    if kind == "answer":
        return _answer_step(name, question, tuple(fact["choices"]).__contains__)
    bound = fact["value"]
    if kind == "at_least":
        return _answer_step(name, question, lambda value: int(value) >= bound)
    return _answer_step(name, question, lambda value: int(value) <= bound)


class AskedIf(NamedTuple):
    """When a question is asked, and what it counts as while it is not."""

    fact: str
    closed: str


class CompiledFacts:
    """Definitions of facts, ready to be computed from any report."""

    def __init__(
        self,
        definitions: Iterable[Mapping[str, Any]],
        asked_if: Mapping[str, AskedIf] = MappingProxyType({}),
    ) -> None:
        self._steps: list[tuple[str, str | None, Step]] = []
        # What a fact is that hangs on one question, while that is not answered.
        self._unanswered: tuple[Values, Values] = ({}, {})
        # The questions of each fact, with those of its parts.
        self.questions: dict[str, frozenset[str]] = {}
        for fact in definitions:
            # The question without whose answer there is nothing to compute.
            only = fact["questions"][0] if fact["kind"] in OF_ONE_QUESTION else None
            self._steps.append((fact["id"], only, _step(fact)))
            for values, value in zip(self._unanswered, (False, True), strict=True):
                values[fact["id"]] = value
            self.questions[fact["id"]] = frozenset(fact["questions"]).union(
                *(self.questions[part] for part in fact["facts"])
            )
        # By fact, the questions that are asked only if it is possible, each as it counts if not.
        self._asked_if: dict[str, dict[str, str]] = {}
        for question, condition in asked_if.items():
            self._asked_if.setdefault(condition.fact, {})[question] = condition.closed

    def derive(self, answers: Answers, history: Iterable[str] = ()) -> Facts:
        """Compute every fact from the answers of a report, and from what earlier reports say."""
        certain, possible = (dict(values) for values in self._unanswered)
        given = {name: answer for name, answer in answers.items() if not is_open(answer)}
        closed: set[str] = set()
        for name, only, step in self._steps:
            if only is not None and only not in given:
                continue
            step(given, history, certain, possible)
            if name in self._asked_if and not possible[name]:
                for question, mildest in self._asked_if[name].items():
                    if question not in given:
                        given[question] = mildest
                        closed.add(question)
        open_questions = OpenQuestions(self.questions, given)
        return Facts(certain, possible, open_questions, frozenset(closed))


def derive(
    definitions: Iterable[Mapping[str, Any]],
    answers: Answers,
    history: Iterable[str] = (),
    asked_if: Mapping[str, AskedIf] = MappingProxyType({}),
) -> Facts:
    """Compute facts once."""
    return CompiledFacts(definitions, asked_if).derive(answers, history)


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
