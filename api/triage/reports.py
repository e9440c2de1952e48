"""Reads a report's answers against the questions of a rule set."""

from collections.abc import Iterator

from api.core.errors import Fault, InvalidRequest
from api.triage.facts import Answers
from api.triage.rules import RuleSet
from api.triage.schemas import ReportFields

# Questions with a field of their own; every other one is answered in `answers`.
FIELDS = ("pain_score", "weeks", "trend", "age_years")


def _faults(rule_set: RuleSet, report: ReportFields) -> Iterator[Fault]:
    for name, choice in report.answers.items():
        place = f"/answers/{name.replace('~', '~0').replace('/', '~1')}"
        question = rule_set.questions.get(name)
        if question is None or name in FIELDS:
            yield Fault(place, "unknown_question", "There is no such question in this rule set.")
            continue
        choices = [known["id"] for known in question["choices"]]
        if choice is not None and choice not in choices:
            message = f"There is no such choice; there is {', '.join(choices)}."
            yield Fault(place, "unknown_choice", message)


def read_answers(rule_set: RuleSet, report: ReportFields) -> Answers:
    """Return every answer by its question; refuse unknown questions and choices by name."""
    faults = list(_faults(rule_set, report))
    if faults:
        detail = "; ".join(f"{fault.pointer}: {fault.message}" for fault in faults[:3])
        raise InvalidRequest(detail, faults=faults)
    return {**{name: getattr(report, name) for name in FIELDS}, **report.answers}
