"""Reads a report's answers by the questions of a rule set: all of it, or the usable parts."""

import datetime
import heapq
import re
from collections.abc import Iterator, Mapping
from typing import Any

from api.core.errors import Fault, InvalidRequest
from api.triage.evaluation import Case, Ignored
from api.triage.facts import UNKNOWN, Answers
from api.triage.rules import RuleSet
from api.triage.schemas import COUNTRY_AS_SENT, ReportFields

# Questions with a field of their own; every other one is answered in `answers`.
FIELDS = ("pain_score", "weeks", "trend", "age_years")
ANSWERS = "answers"
COUNTRY = "country"
# Fields of a stored report that no decision depends on: a complete report may be evaluated.
PASSED_OVER = ("id", "reported_at", "local_date", "time_zone", "note", "device_decision")
# As many of the places that were ignored are listed; each name in one is cut to so much.
MAX_IGNORED = 50
MAX_NAME = 64
# Reasons for ignoring a part.
UNKNOWN_FIELD = "unknown_field"
UNKNOWN_QUESTION = "unknown_question"
UNKNOWN_CHOICE = "unknown_choice"
INVALID_VALUE = "invalid_value"

COUNTRY_CODE = re.compile(COUNTRY_AS_SENT)
HALF_PAIR = re.compile("[\ud800-\udfff]")


def _faults(rule_set: RuleSet, report: ReportFields) -> Iterator[Fault]:
    for name, choice in report.answers.items():
        place = f"/answers/{name.replace('~', '~0').replace('/', '~1')}"
        question = rule_set.questions.get(name)
        if choice is None:  # the same as left out, whatever its name is
            continue
        if question is None or name in FIELDS:
            message = "Unknown question."
            yield Fault(place, "unknown_question", message)
            continue
        choices = [known["id"] for known in question["choices"]]
        if choice not in choices:
            message = f"Unknown choice. Available: {', '.join(choices)}."
            yield Fault(place, "unknown_choice", message)


def read_answers(rule_set: RuleSet, report: ReportFields) -> Answers:
    """Return every answer by its question; refuse unknown questions and choices by name."""
    faults = list(_faults(rule_set, report))
    if faults:
        detail = "; ".join(f"{fault.pointer}: {fault.message}" for fault in faults[:3])
        raise InvalidRequest(detail, faults=faults)
    given = {name: choice for name, choice in report.answers.items() if choice is not None}
    return {**{name: getattr(report, name) for name in FIELDS}, **given}


class _Reader:
    """Goes through a report; whatever it meets, it goes on."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.questions = rule_set.questions
        self.answers: dict[str, int | str | None] = {}
        self.country: str | None = None
        self.ignored: list[tuple[str, str]] = []
        self.answers_ignored = False

    def ignore(self, *names: str, code: str, answer: bool = True) -> None:
        self.ignored.append((_place(names), code))
        self.answers_ignored = self.answers_ignored or answer

    def read(self, sent: Mapping[str, Any]) -> None:
        for name, value in sent.items():
            if name in FIELDS and name in self.questions:
                self.take(name, value, (name,))
            elif name == ANSWERS:
                self.read_answers(value)
            elif name == COUNTRY:
                self.read_country(value)
            elif name not in PASSED_OVER:
                # A misplaced answer is still an answer.
                self.ignore(name, code=UNKNOWN_FIELD, answer=name in self.questions)

    def read_answers(self, given: Any) -> None:
        if given is None:
            return
        if not isinstance(given, Mapping):
            self.ignore(ANSWERS, code=INVALID_VALUE)
            return
        for name, value in given.items():
            if value is None:  # the same as left out, whatever its name is
                continue
            if name in FIELDS or name not in self.questions:
                self.ignore(ANSWERS, name, code=UNKNOWN_QUESTION)
            else:
                self.take(name, value, (ANSWERS, name))

    def read_country(self, value: Any) -> None:
        if isinstance(value, str) and COUNTRY_CODE.fullmatch(value):
            self.country = value.upper()
        elif value is not None:
            self.ignore(COUNTRY, code=INVALID_VALUE, answer=False)

    def take(self, name: str, value: Any, place: tuple[str, ...]) -> None:
        question = self.questions[name]
        if value is None or value == UNKNOWN:
            return
        if question["choices"]:
            if any(value == choice["id"] for choice in question["choices"]):
                self.answers[name] = value
            else:
                self.ignore(*place, code=UNKNOWN_CHOICE)
            return
        number = _whole(value)
        if number is not None and question["minimum"] <= number <= question["maximum"]:
            self.answers[name] = number
        else:
            self.ignore(*place, code=INVALID_VALUE)


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _place(names: tuple[str, ...]) -> str:
    """Write a JSON Pointer that has its bounds and is text, whatever the names are."""
    short = (HALF_PAIR.sub("\ufffd", name[:MAX_NAME]) for name in names)
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in short)


def _in_order(found: tuple[str, str]) -> tuple[bytes, str]:
    # By UTF-16 code units, as the members of canonical JSON are.
    return found[0].encode("utf-16-be"), found[1]


def case_of_sent(
    rule_set: RuleSet,
    sent: Mapping[str, Any],
    language: str,
    now: datetime.datetime,
) -> Case:
    """Read any JSON object as a report; what can't be used counts as not answered, and is listed.

    The fields that only a stored report has are no part of what is decided on.
    """
    reader = _Reader(rule_set)
    reader.read(sent)
    first = heapq.nsmallest(MAX_IGNORED, reader.ignored, key=_in_order)
    ignored = Ignored(tuple(first), len(reader.ignored), reader.answers_ignored)
    return Case(reader.answers, language, now, country=reader.country, ignored=ignored)
