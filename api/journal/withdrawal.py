"""After a rule set is withdrawn, every current decision that used it is made again."""

import asyncio
import datetime
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from api.core.db import Database, insert_new
from api.journal.decisions import IS_CURRENT, case_of, decision_rows, with_current_decision
from api.journal.models import ActivityHold, StoredDecision, SymptomReport
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.models import Participant
from api.participants.service import lock_participant
from api.triage.evaluation import decide
from api.triage.rules import RuleSet

# Participants in a page, and participants in a transaction: few, so that no upload waits for long.
PAGE, TOGETHER = 500, 20
# Concurrent transactions. SQLite has a single writer.
AT_ONCE = {"postgresql": 4, "sqlite": 1}
# An upload that began before the withdrawal has ended by then, or was aborted.
IN_FLIGHT_SECONDS = 60.0


@dataclass(frozen=True)
class Redone:
    """A decision that replaced one of the withdrawn rule set."""

    participant_id: uuid.UUID
    old_id: uuid.UUID
    new_id: uuid.UUID
    level_before: str
    level_after: str


@dataclass(frozen=True)
class Redoing:
    """Decides again on the reports whose current decision used a withdrawn rule set."""

    database: Database
    withdrawn: str
    rule_set: RuleSet
    now: datetime.datetime

    async def page(self, after: uuid.UUID | None) -> list[uuid.UUID]:
        """Return the next participants, ordered by id."""
        key = col(Participant.participant_id)
        statement = select(key).order_by(key).limit(PAGE)
        if after is not None:
            statement = statement.where(key > after)
        async with self.database.read() as db:
            return list(await db.exec(statement))

    async def affected(self, people: Sequence[uuid.UUID]) -> list[uuid.UUID]:
        """Return those of a page of participants who have such a report."""
        async with self.database.read() as db:
            return list(await db.exec(self.using_it(people[0], people[-1])))

    def using_it(self, first: uuid.UUID, last: uuid.UUID) -> SelectOfScalar[uuid.UUID]:
        """Select the participants between two ids who have such a report."""
        key = col(SymptomReport.participant_id)
        return (
            select(key)
            .join(StoredDecision, IS_CURRENT)
            .where(key.between(first, last), self._used_it())
            .distinct()
            .order_by(key)
        )

    def _used_it(self) -> ColumnElement[bool]:
        return col(StoredDecision.rule_set_hash) == self.withdrawn

    async def redo(self, people: Sequence[uuid.UUID]) -> list[Redone]:
        """Decide again on all such reports of some participants, in one transaction."""
        async with self.database.write() as db:
            # Ordered by id, so that concurrent runs do not deadlock.
            for participant_id in people:
                await lock_participant(db, participant_id)
            key = col(SymptomReport.participant_id)
            statement = with_current_decision(key.in_(people), self._used_it()).order_by(
                key, col(SymptomReport.reported_at), col(SymptomReport.id)
            )
            found = (await db.exec(statement)).all()
            return await self._decide(db, found) if found else []

    async def _decide(
        self, db: AsyncSession, found: Sequence[tuple[SymptomReport, StoredDecision]]
    ) -> list[Redone]:
        decisions, holds, current, redone = [], [], [], []
        changes: dict[uuid.UUID, list[Change]] = {}
        for report, old in found:
            owner = report.participant_id
            language = self.rule_set.language_for(old.language)
            case = case_of(report, language, self.now, old.history_facts)
            decided = decide(self.rule_set, case)
            decision, hold = decision_rows(owner, self.rule_set, case, decided, report.decision_id)
            decisions.append(decision)
            holds += [hold] if hold is not None else []
            new_id, level = decision["id"], decision["level"]
            current.append({"of": owner, "report": report.id, "decision_id": new_id})
            redone.append(Redone(owner, report.decision_id, new_id, old.level, level))
            change = Change(ChangedKind.SYMPTOM_REPORT, report.id)
            changes.setdefault(owner, []).append(change)
        # An earlier decision can become current again, and its hold with it.
        await insert_new(db, StoredDecision, decisions)
        await insert_new(db, ActivityHold, holds)
        statement = update(SymptomReport).where(
            col(SymptomReport.participant_id) == bindparam("of"),
            col(SymptomReport.id) == bindparam("report"),
        )
        # On the connection: the session would take it for a bulk update by primary key.
        connection = await db.connection()
        await connection.execute(statement.values(decision_id=bindparam("decision_id")), current)
        for participant_id, changed in changes.items():
            await record_changes(db, participant_id, changed, self.now)
        return redone

    async def wait_for_uploads(self) -> None:
        """Wait for uploads that began when the rule set was still in use.

        They may commit decisions of it after their participants were looked at. SQLite has a single
        writer, so that there are none.
        """
        if self.database.dialect == "sqlite":
            return
        async with self.database.write() as db:
            # Greater than that of every transaction that has written or locked anything by now.
            ours = (await db.exec(select(func.pg_current_xact_id()))).one()
        oldest_running = select(func.pg_snapshot_xmin(func.pg_current_snapshot()))
        give_up = asyncio.get_running_loop().time() + IN_FLIGHT_SECONDS
        while asyncio.get_running_loop().time() < give_up:
            async with self.database.read() as db:
                if (await db.exec(oldest_running)).one() > ours:
                    return
            await asyncio.sleep(0.1)


async def count_people(database: Database) -> int:
    """Return the number of participants to be looked at."""
    async with database.read() as db:
        return (await db.exec(select(func.count()).select_from(Participant))).one()


async def _redo_all(redoing: Redoing, people: Sequence[uuid.UUID]) -> list[Redone]:
    """Decide again for a page of participants, with some concurrent transactions."""
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
    """Decide again on every report whose current decision used a withdrawn rule set.

    Yields for each page of participants their number and the new decisions. An interrupted run
    continues when it is started again, since decisions made again no longer use the rule set.
    """
    redoing = Redoing(database, withdrawn, rule_set, now)
    await redoing.wait_for_uploads()
    after = None
    while people := await redoing.page(after):
        yield len(people), await _redo_all(redoing, await redoing.affected(people))
        after = people[-1]
