"""What happens to the decisions of a rule set that is withdrawn: each is made again."""

import datetime
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import select

from api.core.db import Database
from api.journal.decisions import DECIDED, decide_again, reports_joined
from api.journal.models import DECISIONS, REPORTS
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.service import lock_participant
from api.triage.rules import RuleSet

PAGE = 200


@dataclass(frozen=True)
class Redone:
    """A decision that took the place of one made with the withdrawn rule set."""

    participant_id: uuid.UUID
    old_id: uuid.UUID
    new_id: uuid.UUID
    level_before: str
    level_after: str


async def _people(database: Database, withdrawn: str) -> list[uuid.UUID]:
    """Return a page of those who have a current decision of a rule set."""
    resting = reports_joined().where(DECISIONS.c.rule_set_hash == withdrawn).subquery()
    statement = select(resting.c.participant_id).distinct().order_by(resting.c.participant_id)
    async with database.read() as db:
        return list((await db.execute(statement.limit(PAGE))).scalars())


async def _redo(
    database: Database,
    participant_id: uuid.UUID,
    withdrawn: str,
    rule_set: RuleSet,
    now: datetime.datetime,
) -> list[Redone]:
    """Decide again on a participant's reports, in one transaction."""
    statement = (
        reports_joined(*DECIDED)
        .where(REPORTS.c.participant_id == participant_id)
        .where(DECISIONS.c.rule_set_hash == withdrawn)
        .order_by(REPORTS.c.reported_at, REPORTS.c.id)
    )
    redone, changes = [], []
    async with database.write() as db:
        await lock_participant(db, participant_id)
        for row in (await db.execute(statement)).all():
            made = await decide_again(db, row, row.history_facts, rule_set, now)
            new_id = uuid.UUID(made["id"])
            redone.append(Redone(participant_id, row.decision_id, new_id, row.level, made["level"]))
            changes.append(Change(ChangedKind.SYMPTOM_REPORT, row.id))
        await record_changes(db, participant_id, changes, now)
    return redone


async def redo_decisions(
    database: Database, withdrawn: str, rule_set: RuleSet, now: datetime.datetime
) -> AsyncIterator[Redone]:
    """Decide again on every report whose current decision rests on a withdrawn rule set.

    One transaction for each person, until there is nobody left: what was redone no longer rests on
    that rule set, so that a run that was cut short goes on where it stopped.
    """
    while people := await _people(database, withdrawn):
        for participant_id in people:
            for entry in await _redo(database, participant_id, withdrawn, rule_set, now):
                yield entry
