"""What happens to the decisions of a rule set that is withdrawn: each is made again."""

import datetime
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import and_, or_, select, update

from api.core.db import Database
from api.journal.decisions import case_of, store_decision
from api.journal.models import DECISIONS, REPORTS
from api.triage.evaluation import decide
from api.triage.rules import RuleSet

BATCH = 200


@dataclass(frozen=True)
class Redone:
    """A decision that took the place of one made with the withdrawn rule set."""

    participant_id: uuid.UUID
    old_id: uuid.UUID
    new_id: uuid.UUID
    level_before: str
    level_after: str


async def redo_decisions(
    database: Database, withdrawn: str, rule_set: RuleSet, now: datetime.datetime
) -> AsyncIterator[Redone]:
    """Decide again on every report whose current decision rests on a withdrawn rule set.

    In batches of one transaction each, in the order of the keys: a run that was cut short goes on
    where it stopped, because what was redone no longer rests on that rule set.
    """
    last: tuple[uuid.UUID, uuid.UUID] | None = None
    while True:
        async with database.write() as db:
            statement = (
                select(
                    REPORTS,
                    DECISIONS.c.level.label("level"),
                    DECISIONS.c.language.label("language"),
                    DECISIONS.c.history_facts.label("history_facts"),
                )
                .join(
                    DECISIONS,
                    and_(
                        DECISIONS.c.participant_id == REPORTS.c.participant_id,
                        DECISIONS.c.id == REPORTS.c.decision_id,
                    ),
                )
                .where(DECISIONS.c.rule_set_hash == withdrawn)
                .order_by(REPORTS.c.participant_id, REPORTS.c.id)
                .limit(BATCH)
            )
            if last is not None:
                person, report = last
                statement = statement.where(
                    or_(
                        REPORTS.c.participant_id > person,
                        and_(REPORTS.c.participant_id == person, REPORTS.c.id > report),
                    )
                )
            rows = (await db.execute(statement)).all()
            redone = []
            for row in rows:
                case = case_of(row, row.language, now, row.history_facts)
                made = decide(rule_set, case)
                await store_decision(
                    db, row.participant_id, rule_set, case, made, supersedes=row.decision_id
                )
                new_id = uuid.UUID(made[0]["id"])
                await db.execute(
                    update(REPORTS)
                    .where(REPORTS.c.participant_id == row.participant_id, REPORTS.c.id == row.id)
                    .values(decision_id=new_id)
                )
                redone.append(
                    Redone(row.participant_id, row.decision_id, new_id, row.level, made[0]["level"])
                )
        for entry in redone:
            yield entry
        if len(rows) < BATCH:
            return
        last = (rows[-1].participant_id, rows[-1].id)
