"""What triage handlers ask for: the rule set in force, compiled, and any other.

And what the app answers in their place where they can't: nobody goes without an answer.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import Headers, QueryParams

from api.content.deps import CurrentRelease
from api.content.release import Release
from api.core.errors import InvalidRequest, Problem
from api.http.languages import choose_language
from api.triage.cautious import cautious_outcome
from api.triage.rules import RuleSet
from api.triage.service import RuleSets

# As much of an Accept-Language is read as a handler would take.
MAX_ACCEPT_LANGUAGE = 500


def get_rule_sets(request: Request) -> RuleSets:
    """Return the rule sets of this process."""
    rule_sets: RuleSets = request.app.state.rule_sets
    return rule_sets


KnownRuleSets = Annotated[RuleSets, Depends(get_rule_sets)]


def get_rule_set(rule_sets: KnownRuleSets, release: CurrentRelease) -> RuleSet:
    """Return the rule set in force."""
    return rule_sets.of(release)


CurrentRules = Annotated[RuleSet, Depends(get_rule_set)]


def language_asked_for(scope: Mapping[str, Any], available: tuple[str, ...]) -> str:
    """Choose the language of an answer to a request that may be refused for whatever it holds."""
    accepted = Headers(raw=scope["headers"]).get("accept-language", "")[:MAX_ACCEPT_LANGUAGE]
    asked = QueryParams(scope["query_string"]).get("lang")
    with contextlib.suppress(InvalidRequest):
        return choose_language(asked, accepted, available)
    return choose_language(None, accepted, available)


def last_resort(
    calls: Mapping[str, Callable[[Problem], bool]],
) -> Callable[[Mapping[str, Any], Problem], dict[str, Any] | None]:
    """Give the calls that ask for a decision the cautious outcome, where they fail without one.

    `calls` tells by the path of a POST whether a problem is to be answered like this.
    """

    def decide(scope: Mapping[str, Any], problem: Problem) -> dict[str, Any] | None:
        wanted = calls.get(scope["path"])
        if scope["method"] != "POST" or wanted is None or not wanted(problem):
            return None
        state = scope["app"].state
        release: Release = state.release
        language = language_asked_for(scope, release.languages)
        return cautious_outcome(state.rule_sets.of(release), language, state.clock.now())

    return decide
