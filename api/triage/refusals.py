"""The decision in the response to a rejected request, from its usable parts. Pure.

It does not use history, and has no id: it is not stored.
"""

import datetime
from collections.abc import Mapping
from typing import Any

import structlog

from api.core.errors import Problem, WrongTokenKind
from api.triage.cautious import cautious_outcome
from api.triage.evaluation import Json, decide
from api.triage.reports import case_of_sent
from api.triage.rules import RuleSet

# Not 401: a client without a valid token uses an evaluation, which needs none. Not 429 and 503:
# rejecting must stay cheap.
REFUSED = frozenset({403, 409, 410, 422})

# Other errors because of which a report cannot be read at all.
UNREADABLE = frozenset({413, 415, 500})

log = structlog.get_logger(__name__)


def is_decided_on(problem: Problem) -> bool:
    """Return whether the response to this error includes a decision, if the body can be read."""
    # Clinician credentials never belong to a person who reports symptoms.
    return problem.status in REFUSED and not isinstance(problem, WrongTokenKind)


def decide_on_usable(rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime) -> Json:
    """Decide on the usable parts of a report; anything else gets the cautious outcome."""
    if isinstance(sent, Mapping):
        try:
            return decide(rule_set, case_of_sent(rule_set, sent, language, now))[0]
        except Exception:  # an internal error, which must not leave a user without a decision
            log.exception("cannot decide on a rejected report")
    return cautious_outcome(rule_set, language, now)


def wants_decision(problem: Problem) -> bool:
    """Return whether the problem response to a report includes a decision."""
    return is_decided_on(problem) or problem.status in UNREADABLE
