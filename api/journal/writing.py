"""A transaction that writes to a participant's journal, and what it has looked up."""

import datetime
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Mapped
from sqlmodel import and_, bindparam, col, exists, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from api.content.service import known_activities
from api.core.db import NewRow, table_of
from api.core.direct import Direct, Row
from api.journal.history import Timeline
from api.journal.models import Clearance, ExerciseSession, SymptomReport
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record
from api.participants.changes import Change, ChangedKind, store
from api.participants.models import RecordedChange
from api.triage.models import WithdrawnRuleSet
from api.triage.rules import RuleSet
from api.triage.service import RuleSets

StoredRecord = ExerciseSession | SymptomReport | Clearance
MODELS: dict[ChangedKind, type[StoredRecord]] = {
    ChangedKind.SESSION: ExerciseSession,
    ChangedKind.SYMPTOM_REPORT: SymptomReport,
    ChangedKind.CLEARANCE: Clearance,
}
KIND_OF: dict[type[Record], ChangedKind] = {
    NewSession: ChangedKind.SESSION,
    NewSymptomReport: ChangedKind.SYMPTOM_REPORT,
    NewClearance: ChangedKind.CLEARANCE,
}

RecordModel = TypeVar("RecordModel", bound=StoredRecord)
RecordKey = tuple[ChangedKind, uuid.UUID]


async def find_records(
    db: AsyncSession,
    model: type[RecordModel],
    participant_id: uuid.UUID,
    ids: Collection[uuid.UUID],
) -> Sequence[RecordModel]:
    """Return those of the participant's records that have one of these ids."""
    if not ids:
        return []
    own = (col(model.participant_id) == participant_id, col(model.id).in_(ids))
    return (await db.exec(select(model).where(*own))).all()


_WITHDRAWN = select(
    exists().where(col(WithdrawnRuleSet.hash) == bindparam("rule_set")).label("withdrawn")
).subquery("rule_set")


def _look_up(
    record_id_is: Callable[[Mapped[uuid.UUID]], ColumnElement[bool]],
) -> Select[bool, str, uuid.UUID, bool]:
    """Select which ids are in the change feed, and whether the rule set was withdrawn.

    Read after the lock, so that what other devices and a withdrawal have committed by then is seen.
    """
    feed = and_(
        col(RecordedChange.participant_id) == bindparam("owner"),
        record_id_is(col(RecordedChange.record_id)),
    )
    return select(
        _WITHDRAWN.c.withdrawn,
        col(RecordedChange.kind),
        col(RecordedChange.record_id),
        col(RecordedChange.deleted),
    ).select_from(_WITHDRAWN.outerjoin(table_of(RecordedChange), feed))


LOOK_UP = _look_up(lambda record_id: record_id.in_(bindparam("ids", expanding=True)))
LOOK_UP_ONE = Direct(_look_up(lambda record_id: record_id == bindparam("id")))


@dataclass
class Writing:
    """A participant's journal, locked against their other devices until the commit.

    New records are collected and written together by `flush`; until then only `stored` knows them.
    """

    db: AsyncSession
    participant_id: uuid.UUID
    rule_set: RuleSet
    rule_sets: RuleSets
    language: str
    now: datetime.datetime
    known_activities: AbstractSet[str]
    # New rows and changes that are not written yet.
    rows: list[NewRow] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    # Of the records that were looked up: as they are stored, which were ever stored, which deleted.
    stored: dict[RecordKey, StoredRecord] = field(default_factory=dict)
    ever_stored: set[RecordKey] = field(default_factory=set)
    deleted: set[RecordKey] = field(default_factory=set)
    # All of the participant's reports, if a batch has to be judged against them.
    timeline: Timeline | None = None

    async def look_up(self, records: Iterable[Record]) -> None:
        """Look up which records are stored or were deleted, and which activities are known.

        Also those that they correct. From here on the rule set is one that was not withdrawn.
        """
        activities: set[str] = set()
        ids: set[uuid.UUID] = set()
        for record in records:
            ids.add(record.id)
            if isinstance(record, NewSession):
                activities |= {item.activity_id for item in record.items}
                if record.replaces is not None:
                    ids.add(record.replaces)
        if unknown := activities - self.known_activities:
            # Of a release that this process has not taken up yet.
            self.known_activities |= await known_activities(self.db, unknown)
        await self.look_up_ids(ids)
        for kind, model in MODELS.items():
            there = {found for of, found in self.ever_stored - self.deleted if of is kind}
            for row in await find_records(self.db, model, self.participant_id, there):
                self.stored[kind, row.id] = row

    async def look_up_ids(self, ids: Collection[uuid.UUID]) -> None:
        """Look up which ids were ever stored, and which were deleted."""
        hash_, rows = self.rule_set.hash, await self._look_up_rows(ids)
        for withdrawn, kind, record_id, deleted in rows:
            if withdrawn and self.rule_set.hash == hash_:
                self.rule_set = await self.rule_sets.usable(self.db, self.rule_set)
            if kind is not None:
                key = (ChangedKind(kind), record_id)
                (self.deleted if deleted else self.ever_stored).add(key)

    async def _look_up_rows(self, ids: Collection[uuid.UUID]) -> Iterable[Row]:
        values = {"rule_set": self.rule_set.hash, "owner": self.participant_id}
        if len(ids) == 1:
            (only,) = ids
            return await LOOK_UP_ONE.rows(self.db, {**values, "id": only})
        connection = await self.db.connection()
        return (await connection.execute(LOOK_UP, {**values, "ids": [*ids]})).all()

    def add(self, kind: ChangedKind, row: StoredRecord, rows: Iterable[NewRow]) -> None:
        """Store a new record, with the rows that belong to it."""
        self.rows += rows
        self.stored[kind, row.id] = row
        self.changed(kind, row.id)

    def changed(self, kind: ChangedKind, record_id: uuid.UUID) -> None:
        """Record in the change feed that a record is new or has a new decision."""
        self.changes.append(Change(kind, record_id))

    def tombstone(self, kind: ChangedKind, record_id: uuid.UUID) -> None:
        """Record in the change feed that a record is deleted; its id is never stored again."""
        self.changes.append(Change(kind, record_id, deleted=True))
        self.deleted.add((kind, record_id))
        self.stored.pop((kind, record_id), None)

    def forget(self) -> None:
        """Forget the new rows, and what was looked up."""
        self.rows, self.changes = [], []
        self.stored, self.ever_stored, self.deleted = {}, set(), set()

    async def flush(self) -> None:
        """Write the new rows, and number the changes."""
        rows, changes = self.rows, self.changes
        self.rows, self.changes = [], []
        if rows or changes:
            await store(self.db, self.participant_id, rows, changes, self.now)
