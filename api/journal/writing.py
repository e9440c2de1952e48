"""A transaction that writes to a participant's journal, and what it has looked up."""

import datetime
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.service import known_activities
from api.journal.history import Timeline
from api.journal.models import Clearance, ExerciseSession, SymptomReport
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record
from api.participants.changes import Change, ChangedKind, deleted_among, record_changes
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


@dataclass
class Writing:
    """A participant's journal, locked against their other devices until the commit."""

    db: AsyncSession
    participant_id: uuid.UUID
    rule_set: RuleSet
    rule_sets: RuleSets
    language: str
    now: datetime.datetime
    storage_consent: bool
    changes: list[Change] = field(default_factory=list)
    known_activities: set[str] = field(default_factory=set)
    deleted: set[tuple[ChangedKind, uuid.UUID]] = field(default_factory=set)
    # Those of the uploaded records that were stored before this transaction.
    stored: dict[tuple[ChangedKind, uuid.UUID], StoredRecord] = field(default_factory=dict)
    # All of the participant's reports, if a batch has to be judged against them.
    timeline: Timeline | None = None

    async def look_up(self, records: Iterable[Record]) -> None:
        """Look up which activities are known, and which records are stored or were deleted."""
        activities: set[str] = set()
        ids: set[uuid.UUID] = set()
        of_kind: dict[ChangedKind, set[uuid.UUID]] = {}
        for record in records:
            ids.add(record.id)
            of_kind.setdefault(KIND_OF[type(record)], set()).add(record.id)
            if isinstance(record, NewSession):
                activities |= {item.activity_id for item in record.items}
        if activities:
            self.known_activities |= await known_activities(self.db, activities)
        if ids:
            self.deleted |= await deleted_among(self.db, self.participant_id, ids)
        for kind, wanted in of_kind.items():
            for row in await find_records(self.db, MODELS[kind], self.participant_id, wanted):
                self.stored[kind, row.id] = row

    def created(self, kind: ChangedKind, record_id: uuid.UUID) -> None:
        """Record in the change feed that a record is new or has a new decision."""
        self.changes.append(Change(kind, record_id))

    def tombstone(self, kind: ChangedKind, record_id: uuid.UUID) -> None:
        """Record in the change feed that a record is deleted; its id is never stored again."""
        self.changes.append(Change(kind, record_id, deleted=True))
        self.deleted.add((kind, record_id))

    async def finish(self) -> None:
        """Number the changes."""
        await record_changes(self.db, self.participant_id, self.changes, self.now)
