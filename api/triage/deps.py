"""What triage handlers ask for: the rule set in force, compiled."""

import json
from typing import Annotated

from fastapi import Depends, Request

from api.content.deps import CurrentRelease
from api.content.release import Release
from api.http.conditional import IDENTITY
from api.triage.rules import RuleSet, compile_rule_set


class RuleSets:
    """The compiled rule sets of one process, by hash."""

    def __init__(self) -> None:
        self._compiled: dict[str, RuleSet] = {}

    def of(self, release: Release) -> RuleSet:
        """Return the rule set of a release."""
        name = release.rule_set_hash
        if name not in self._compiled:
            body = release.bodies[f"triage/rule-sets/{name}", ""]
            self._compiled[name] = compile_rule_set(json.loads(body.codings[IDENTITY]))
        return self._compiled[name]


def get_rule_set(request: Request, release: CurrentRelease) -> RuleSet:
    """Return the rule set in force."""
    rule_sets: RuleSets = request.app.state.rule_sets
    return rule_sets.of(release)


CurrentRules = Annotated[RuleSet, Depends(get_rule_set)]
