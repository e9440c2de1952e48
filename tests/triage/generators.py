"""Random reports as clients could send them, the same in every run."""

import copy
import datetime
import random
import uuid
from collections.abc import Iterator
from typing import Any

from api.journal.history import PastReport
from api.triage.evaluation import Case
from api.triage.rules import RuleSet
from api.triage.vectors import as_sent, mild_answers

Answer = int | str | None
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
YEAR = 365 * 24 * 60 * 60
DAY = 24 * 60 * 60
# How long before its evaluation a report was made; a device's clock can also run ahead.
AGES = (0, 1, DAY - 1, DAY, DAY + 1, 3 * DAY, 400 * DAY, -60)
HISTORIES = (
    (),
    ("persistent_in_history",),
    ("pain_risen_in_history",),
    ("persistent_in_history", "pain_risen_in_history"),
    ("of_another_rule_set", "persistent_in_history"),
)

# Values in place of an answer, and in place of the name of a question.
ODD_VALUES: tuple[Any, ...] = (
    *(None, "unknown", True, False, "yes", "Yes", "left", "", "7", 7, -1, 0.5, 3.0, 5201, 2**70),
    *([], ["yes"], {}, {"value": "yes"}, "es", "ESP", "\u00e9", "\U0001f600"),
)
ODD_NAMES = (
    *("answers", "country", "mood", "headache", "a/b~c", "", "__proto__", "constructor", "0", "10"),
    *("\ud83d", "\U0001f600" * 70, "\uff5e", "~" * 65, "pain_score"),
)


class ReportGenerator:
    """Generates cases for one rule set."""

    def __init__(self, rule_set: RuleSet, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # the same cases in every run
        self.questions = rule_set.questions
        self.mild = mild_answers(rule_set)
        self.languages = rule_set.document["languages"]
        listed = [country["country"] for country in rule_set.document["countries"]]
        self.countries = [None, None, "ZZ", *listed]
        # The numbers at which results change, and their neighbours.
        self.turns = {
            name: sorted(
                {
                    fact["value"] + step
                    for fact in rule_set.document["facts"]
                    for step in (-1, 0, 1)
                    if fact["value"] is not None and name in fact["questions"]
                }
            )
            for name in self.questions
        }

    def uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def instant(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self.random.randrange(YEAR))

    def given(self, name: str) -> int | str:
        """Answer a question; numbers are mostly those at which results change."""
        question = self.questions[name]
        if question["choices"]:
            choices = [choice["id"] for choice in question["choices"] if choice["id"] != "unknown"]
            return str(self.random.choice(choices))
        low, high = question["minimum"], question["maximum"]
        if self.random.random() < 0.3:
            return self.random.randint(low, high)
        return int(max(low, min(high, self.random.choice(self.turns[name]))))

    def answers(self) -> dict[str, Answer]:
        """Answer everything, little, or mildly except a few; each open one in one of three ways."""
        kind = self.random.choice(("any", "little", "mild", "mild"))
        answers: dict[str, Answer] = {}
        if kind == "mild":
            answers = dict(self.mild)
            for name in self.random.sample(list(self.questions), self.random.randint(0, 5)):
                answers[name] = self.given(name) if self.random.random() < 0.7 else None
        else:
            share = 0.85 if kind == "any" else 0.1
            for name in self.questions:
                answers[name] = self.given(name) if self.random.random() < share else None
        for name in [name for name, answer in answers.items() if answer is None]:
            can_be_unknown = any(c["id"] == "unknown" for c in self.questions[name]["choices"])
            written = self.random.choice(("absent", "null", "unknown"))
            if written == "unknown" and can_be_unknown:
                answers[name] = "unknown"
            elif written == "absent":
                del answers[name]
        shuffled = list(answers.items())
        self.random.shuffle(shuffled)
        return dict(shuffled)

    def case(self) -> Case:
        evaluated_at = self.instant()
        stored: dict[str, Any] = {}
        if self.random.random() < 0.5:
            age = datetime.timedelta(seconds=self.random.choice(AGES))
            stored = {
                "report_id": self.uuid(),
                "reported_at": evaluated_at - age,
                "local_date": (evaluated_at - age).date(),
                "history_facts": self.random.choice(HISTORIES),
            }
        return Case(
            self.answers(),
            self.random.choice(self.languages),
            evaluated_at,
            country=self.random.choice(self.countries),
            **stored,
        )

    def cases(self, number: int) -> Iterator[tuple[str, Case]]:
        for index in range(number):
            yield f"generated-{index}", self.case()

    def damaged(self) -> dict[str, Any]:
        """Make a report with unusable parts, as a client might send it."""
        report = as_sent(self.case())
        for _ in range(self.random.randint(1, 4)):
            # A copy, so that changes do not reach the next report.
            value = copy.deepcopy(self.random.choice(ODD_VALUES))
            name = self.random.choice((*self.questions, *ODD_NAMES))
            if self.random.random() < 0.4:
                report[name] = value
            elif isinstance(report["answers"], dict):
                report["answers"][name] = value
        return report

    def history(self) -> list[PastReport]:
        """Make reports of one person, often in the same second or six weeks apart."""
        moment = self.instant()
        reports = []
        for _ in range(self.random.randint(0, 8)):
            pain = self.random.choice((None, 0, 1, 2, 3, 3, 4, 5, 7, 10))
            reports.append(PastReport(self.uuid(), moment, pain))
            steps = (0, 1, DAY, 42 * DAY - 1, 42 * DAY, 42 * DAY + 1)
            moment += datetime.timedelta(seconds=self.random.choice(steps))
        self.random.shuffle(reports)
        return reports
