"""The decision beside a batch that is refused as a whole. Pure.

It is made without any history, and has no id: nothing of it is kept.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.sync.schemas import MAX_ITEMS
from api.triage.cautious import cautious_outcome
from api.triage.evaluation import Json, ranks
from api.triage.refusals import decide_on_usable
from api.triage.rules import RuleSet

REPORTS_IN_BATCH = "symptom_reports"


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
        # More than a batch may hold; the rest is not evaluated.
        yield cautious_outcome(rule_set, language, now)
