"""Finds rule sets, any that was ever stored, and keeps them compiled."""

import json

from sqlalchemy.ext.asyncio import AsyncSession

from api.content.release import Release
from api.content.service import find_body
from api.http.conditional import IDENTITY, Body
from api.triage.rules import RuleSet, compile_rule_set


def path_of(rule_set_hash: str) -> str:
    """Return where a rule set is kept among the bodies of a release."""
    return f"triage/rule-sets/{rule_set_hash}"


class RuleSets:
    """The compiled rule sets of one process, by hash."""

    def __init__(self) -> None:
        self._compiled: dict[str, RuleSet] = {}

    def _compile(self, name: str, body: Body) -> RuleSet:
        self._compiled[name] = compile_rule_set(json.loads(body.codings[IDENTITY]))
        return self._compiled[name]

    def of(self, release: Release) -> RuleSet:
        """Return the rule set of a release."""
        name = release.rule_set_hash
        known = self._compiled.get(name)
        return known or self._compile(name, release.bodies[path_of(name), ""])

    async def find(self, db: AsyncSession, name: str) -> RuleSet | None:
        """Return any rule set that was ever stored; None where there is none of this name."""
        if name in self._compiled:
            return self._compiled[name]
        body = await find_body(db, path_of(name))
        return None if body is None else self._compile(name, body)
