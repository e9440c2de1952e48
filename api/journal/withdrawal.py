"""What happens to the decisions of a rule set that is withdrawn: each is made again."""

import asyncio
import datetime
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import Database, insert_new
from api.journal.decisions import DECIDED, case_of, decision_rows, reports_joined
from api.journal.models import DECISIONS, HOLDS, REPORTS
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.models import PARTICIPANTS
from api.participants.service import lock_participant
from api.triage.evaluation import decide
from api.triage.rules import RuleSet

# People who are looked through at once, and those whose decisions share a transaction: few enough
# that nobody's upload waits for long.
PAGE, TOGETHER = 500, 20
# Transactions at once. SQLite has one writer.
AT_ONCE = {"postgresql": 4, "sqlite": 1}
# An upload that began before the withdrawal is done by then, or was given up.
IN_FLIGHT_SECONDS = 60.0


@dataclass(frozen=True)
class Redone:
    """A decision that took the place of one made with the withdrawn rule set."""

    participant_id: uuid.UUID
    old_id: uuid.UUID
    new_id: uuid.UUID
    level_before: str
    level_after: str


@dataclass(frozen=True)
class Redoing:
    """All that it takes to decide again, whatever is found."""

    database: Database
    withdrawn: str
    rule_set: RuleSet
    now: datetime.datetime

    async def page(self, after: uuid.UUID | None) -> list[uuid.UUID]:
        """Return the next people in the order of their ids."""
        key = PARTICIPANTS.c.participant_id
        statement = select(key).order_by(key).limit(PAGE)
        if after is not None:
            statement = statement.where(key > after)
        async with self.database.read() as db:
            return list((await db.execute(statement)).scalars())

    def resting(self, people: ColumnElement[bool]) -> Any:
        """Select reports of some people whose current decision is of the withdrawn rule set."""
        return reports_joined(*DECIDED).where(people, DECISIONS.c.rule_set_hash == self.withdrawn)

    async def concerned(self, people: Sequence[uuid.UUID]) -> list[uuid.UUID]:
        """Return those of a page of people who have such a report."""
        between = REPORTS.c.participant_id.between(people[0], people[-1])
        found = self.resting(between).subquery()
        key = found.c.participant_id
        async with self.database.read() as db:
            return list((await db.execute(select(key).distinct().order_by(key))).scalars())

    async def redo(self, people: Sequence[uuid.UUID]) -> list[Redone]:
        """Decide again on all such reports of some people, in one transaction."""
        async with self.database.write() as db:
            # In the order of their ids: two that do the same don't wait for each other crosswise.
            for participant_id in people:
                await lock_participant(db, participant_id)
            statement = self.resting(REPORTS.c.participant_id.in_(people)).order_by(
                REPORTS.c.participant_id, REPORTS.c.reported_at, REPORTS.c.id
            )
            rows = (await db.execute(statement)).all()
            return await self._decide(db, rows) if rows else []

    async def _decide(self, db: AsyncSession, rows: Sequence[Any]) -> list[Redone]:
        decisions, holds, current, redone = [], [], [], []
        changes: dict[uuid.UUID, list[Change]] = {}
        for row in rows:
            language = self.rule_set.language_for(row.language)
            case = case_of(row, language, self.now, row.history_facts)
            made = decide(self.rule_set, case)
            decision, hold = decision_rows(
                row.participant_id, self.rule_set, case, made, row.decision_id
            )
            decisions.append(decision)
            holds += [hold] if hold is not None else []
            new_id = decision["id"]
            current.append({"of": row.participant_id, "report": row.id, "decision_id": new_id})
            level = decision["level"]
            redone.append(Redone(row.participant_id, row.decision_id, new_id, row.level, level))
            change = Change(ChangedKind.SYMPTOM_REPORT, row.id)
            changes.setdefault(row.participant_id, []).append(change)
        # A decision that counted before can come back; its hold then does too.
        await insert_new(db, DECISIONS, decisions)
        await insert_new(db, HOLDS, holds)
        report = update(REPORTS).where(
            REPORTS.c.participant_id == bindparam("of"), REPORTS.c.id == bindparam("report")
        )
        await db.execute(report.values(decision_id=bindparam("decision_id")), current)
        for participant_id, changed in changes.items():
            await record_changes(db, participant_id, changed, self.now)
        return redone

    async def wait_for_uploads(self) -> None:
        """Wait for uploads that began when the rule set could still be used.

        They decide with it, and might not be there yet when their people are looked through. On
        SQLite writers come one after the other: there are none.
        """
        if self.database.dialect == "sqlite":
            return
        async with self.database.write() as db:
            # Numbered after every one that has written anything by now, if only a lock.
            ours = (await db.execute(select(func.pg_current_xact_id()))).scalar_one()
        oldest_running = select(func.pg_snapshot_xmin(func.pg_current_snapshot()))
        give_up = asyncio.get_running_loop().time() + IN_FLIGHT_SECONDS
        while asyncio.get_running_loop().time() < give_up:
            async with self.database.read() as db:
                if (await db.execute(oldest_running)).scalar_one() > ours:
                    return
            await asyncio.sleep(0.1)


async def count_people(database: Database) -> int:
    """Return how many people there are to be looked through."""
    async with database.read() as db:
        count: int = (await db.execute(select(func.count()).select_from(PARTICIPANTS))).scalar_one()
        return count


async def _redo_all(redoing: Redoing, people: Sequence[uuid.UUID]) -> list[Redone]:
    """Decide again for a page of people, some transactions at a time."""
    free = asyncio.Semaphore(AT_ONCE[redoing.database.dialect])

    async def redo(some: Sequence[uuid.UUID]) -> list[Redone]:
        async with free:
            return await redoing.redo(some)

    starts = range(0, len(people), TOGETHER)
    tasks = [asyncio.create_task(redo(people[start : start + TOGETHER])) for start in starts]
    try:
        return [entry for group in await asyncio.gather(*tasks) for entry in group]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def redo_decisions(
    database: Database, withdrawn: str, rule_set: RuleSet, now: datetime.datetime
) -> AsyncGenerator[tuple[int, list[Redone]], None]:
    """Decide again on every report whose current decision rests on a withdrawn rule set.

    People are looked through in the order of their ids, each once. Yields how many were looked
    through, and what was decided for them. What was redone no longer rests on that rule set, so
    that a run that was cut short goes on where it stopped when it is started again.
    """
    redoing = Redoing(database, withdrawn, rule_set, now)
    await redoing.wait_for_uploads()
    after = None
    while people := await redoing.page(after):
        yield len(people), await _redo_all(redoing, await redoing.concerned(people))
        after = people[-1]
