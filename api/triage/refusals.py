"""The decision in the response to a refused request, from what of it can be used. Pure.

It is made without any history, and has no id: nothing of it is kept.
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

# Not 401: a client without a valid token asks for an evaluation, which needs none. Not 429 and 503:
# to refuse has to stay cheap.
REFUSED = frozenset({403, 409, 410, 422})

# Whatever else keeps a report from being read at all.
UNREADABLE = frozenset({413, 415, 500})

log = structlog.get_logger(__name__)


def is_decided_on(problem: Problem) -> bool:
    """Tell whether what was sent is decided on beside this refusal, if it can be read."""
    # Clinician credentials never belong to a person who reports symptoms.
    return problem.status in REFUSED and not isinstance(problem, WrongTokenKind)


def decide_on_usable(rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime) -> Json:
    """Decide on what can be used of a report; what is none gets the cautious outcome."""
    if isinstance(sent, Mapping):
        try:
            return decide(rule_set, case_of_sent(rule_set, sent, language, now))[0]
        except Exception:  # an internal error, which must not leave a user without a decision
            log.exception("cannot decide on a rejected report")
    return cautious_outcome(rule_set, language, now)


def wants_decision(problem: Problem) -> bool:
    """Return whether the problem response to a report includes a decision."""
    return is_decided_on(problem) or problem.status in UNREADABLE
