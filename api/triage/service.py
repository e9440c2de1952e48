"""Finds any rule set that was ever stored, and keeps compiled ones."""

import json

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.release import Release
from api.content.rule_set import ENGINE
from api.content.service import active_hash, find_active_body, find_body
from api.core.canonical import canonical, sha256
from api.core.clock import Clock
from api.core.dates import utc_text
from api.core.db import insert_once
from api.core.errors import NotReady, Unavailable
from api.http.conditional import IDENTITY, Body, make_body
from api.http.problems import RETRY_SOON
from api.triage.models import WithdrawnRuleSet
from api.triage.rules import RuleSet, UnknownEngine, compile_rule_set


def path_of(rule_set_hash: str) -> str:
    """Return the path of a rule set among the bodies of a release."""
    return f"triage/rule-sets/{rule_set_hash}"


Withdrawn = tuple[dict[str, str], ...]


async def withdrawn_rule_sets(db: AsyncSession) -> Withdrawn:
    """List the withdrawn rule sets."""
    statement = select(WithdrawnRuleSet).order_by(
        col(WithdrawnRuleSet.withdrawn_at), col(WithdrawnRuleSet.hash)
    )
    rows = await db.exec(statement)
    return tuple(
        {
            "hash": row.hash,
            "reason": row.reason,
            "withdrawn_at": utc_text(row.withdrawn_at),
        }
        for row in rows
    )


async def refuse_withdrawn(db: AsyncSession, rule_set_hash: str) -> None:
    """Refuse to activate a rule set that was withdrawn."""
    for entry in await withdrawn_rule_sets(db):
        if entry["hash"] == rule_set_hash:
            message = (
                f"The rule set {rule_set_hash} was withdrawn ({entry['reason']}) "
                "and is never used again; nothing was changed."
            )
            raise NotReady(message)


async def signed_in_force(db: AsyncSession) -> bool:
    """Return whether the rule set in force is signed."""
    active = await active_hash(db)
    if active is None:
        return False
    document = await find_active_body(db, active, "triage/rule-set")
    return (
        document is not None and json.loads(document.encodings[IDENTITY])["signature"] is not None
    )


async def withdraw(db: AsyncSession, rule_set_hash: str, reason: str, clock: Clock) -> bool:
    """Add a rule set to the withdrawn ones; return whether it was not among them."""
    values = {"hash": rule_set_hash, "withdrawn_at": clock.now(), "reason": reason}
    return await insert_once(db, WithdrawnRuleSet, values)


class RuleSets:
    """The compiled rule sets of one process, by hash, and the ones that were withdrawn."""

    def __init__(self) -> None:
        self._compiled: dict[str, RuleSet] = {}
        self._withdrawn: Withdrawn = ()
        self._answers: dict[str, Body] = {}

    def take_up(self, withdrawn: Withdrawn) -> None:
        """Learn which rule sets were withdrawn."""
        if withdrawn != self._withdrawn:
            self._withdrawn = withdrawn
            self._answers.clear()

    def answer(self, release: Release) -> Body:
        """Return the rule set in force as it is served, with the ones that were withdrawn."""
        prepared = release.bodies["triage/rule-set", ""]
        if not self._withdrawn:
            return prepared
        if release.hash not in self._answers:
            document = json.loads(prepared.encodings[IDENTITY])
            data = canonical({**document, "withdrawn": list(self._withdrawn)})
            tag = f"{document['hash']}-{sha256(data)[:8]}"
            self._answers[release.hash] = make_body(data, tag=tag, quick=True)
        return self._answers[release.hash]

    def _compile(self, name: str, body: Body) -> RuleSet:
        self._compiled[name] = compile_rule_set(json.loads(body.encodings[IDENTITY]))
        return self._compiled[name]

    def of(self, release: Release) -> RuleSet:
        """Return the rule set of a release; one of an older engine is only there to be replayed."""
        name = release.rule_set_hash
        found = self._compiled.get(name) or self._compile(name, release.bodies[path_of(name), ""])
        if found.engine != ENGINE:
            message = f"The rule set in force is made for {found.engine}, this server for {ENGINE}."
            raise NotReady(f"{message} Run: footing seed")
        return found

    async def usable(self, db: AsyncSession, rule_set: RuleSet) -> RuleSet:
        """Return a rule set, or its successor if it was withdrawn in the meantime."""
        withdrawn = select(WithdrawnRuleSet.hash).where(WithdrawnRuleSet.hash == rule_set.hash)
        if (await db.exec(withdrawn)).first() is None:
            return rule_set
        active = await active_hash(db)
        document = await find_active_body(db, active or "", "triage/rule-set")
        name = "" if document is None else json.loads(document.encodings[IDENTITY])["hash"]
        successor = await self.find(db, name)
        if successor is None or successor.engine != ENGINE:
            message = "The rule set was withdrawn during the request. Send the request again."
            raise Unavailable(message, headers=RETRY_SOON)
        return successor

    async def find(self, db: AsyncSession, name: str) -> RuleSet | None:
        """Return any rule set ever stored; None where there is none that can be used here."""
        if name in self._compiled:
            return self._compiled[name]
        body = await find_body(db, path_of(name))
        try:
            return None if body is None else self._compile(name, body)
        except UnknownEngine:
            # A rule set for an unknown engine cannot be used here.
            return None
