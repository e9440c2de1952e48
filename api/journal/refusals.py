"""What a person is told whose reports are not stored: a decision on what of them can be used. Pure.

It is made without any history, and has no id: nothing of it is kept.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.core.errors import Problem
from api.journal.sync_schemas import MAX_ITEMS
from api.triage.cautious import cautious_outcome
from api.triage.evaluation import Json, ranks
from api.triage.refusals import decide_on_usable, is_decided_on
from api.triage.rules import RuleSet

# Whatever else keeps a report from being read at all.
UNREADABLE = frozenset({413, 415, 500})
REPORTS_IN_BATCH = "symptom_reports"


def wants_decision(problem: Problem) -> bool:
    """Tell whether whoever sent a report is told what to do beside this problem."""
    return is_decided_on(problem) or problem.status in UNREADABLE


def decide_on_batch(
    rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
) -> Json | None:
    """Return the strictest decision on the reports of a batch; None where it brings none."""
    reports = sent.get(REPORTS_IN_BATCH) if isinstance(sent, Mapping) else None
    if reports is None or reports == []:
        return None
    if not isinstance(reports, list):
        return cautious_outcome(rule_set, language, now)
    rank = ranks(rule_set)
    strictest: Json | None = None
    for said in _each(rule_set, reports, language, now):
        if strictest is None or rank[said["level"]] > rank[strictest["level"]]:
            strictest = said
        if rank[strictest["level"]] == max(rank.values()):
            break
    return strictest


def _each(
    rule_set: RuleSet, reports: Sequence[Any], language: str, now: datetime.datetime
) -> Iterator[Json]:
    for sent in reports[:MAX_ITEMS]:
        yield decide_on_usable(rule_set, sent, language, now)
    if len(reports) > MAX_ITEMS:
        # No batch may hold so many, and nobody looks at the rest of them.
        yield cautious_outcome(rule_set, language, now)
