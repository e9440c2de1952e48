"""What triage handlers ask for: the rule set in force, compiled, and any other."""

from typing import Annotated

from fastapi import Depends, Request

from api.content.deps import CurrentRelease
from api.triage.rules import RuleSet
from api.triage.service import RuleSets


def get_rule_sets(request: Request) -> RuleSets:
    """Return the rule sets of this process."""
    rule_sets: RuleSets = request.app.state.rule_sets
    return rule_sets


KnownRuleSets = Annotated[RuleSets, Depends(get_rule_sets)]


def get_rule_set(rule_sets: KnownRuleSets, release: CurrentRelease) -> RuleSet:
    """Return the rule set in force."""
    return rule_sets.of(release)


CurrentRules = Annotated[RuleSet, Depends(get_rule_set)]
