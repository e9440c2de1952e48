"""The route of a batch."""

import datetime
from typing import Any

from api.journal.deps import AnsweringUploadRoute
from api.sync.refusals import decide_on_batch
from api.triage.evaluation import Json
from api.triage.rules import RuleSet


class BatchRoute(AnsweringUploadRoute):
    """The route of a batch: one that is refused as a whole has no receipts to say what to do."""

    def decide(
        self, rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
    ) -> Json | None:
        """Return the strictest decision on what can be used of the reports."""
        return decide_on_batch(rule_set, sent, language, now)
