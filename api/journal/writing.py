"""One transaction that writes to a participant's journal, and what it needs to know."""

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.service import known_activities
from api.journal.history import Timeline
from api.journal.models import CLEARANCES, REPORTS, SESSIONS
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record
from api.participants.changes import Change, ChangedKind, deleted_among, record_changes
from api.triage.rules import RuleSet
from api.triage.service import RuleSets

TABLES: dict[ChangedKind, Table] = {
    ChangedKind.SESSION: SESSIONS,
    ChangedKind.SYMPTOM_REPORT: REPORTS,
    ChangedKind.CLEARANCE: CLEARANCES,
}
KIND_OF: dict[type[Record], ChangedKind] = {
    NewSession: ChangedKind.SESSION,
    NewSymptomReport: ChangedKind.SYMPTOM_REPORT,
    NewClearance: ChangedKind.CLEARANCE,
}


@dataclass
class Writing:
    """A participant's journal, locked against their other phones until the commit."""

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
    # What was stored before this transaction, of the records that it is about.
    stored: dict[tuple[ChangedKind, uuid.UUID], Any] = field(default_factory=dict)

    # The participant's reports, where more than one is to be judged against them.
    timeline: Timeline | None = None

    async def look_up(self, records: Iterable[Record]) -> None:
        """Find out at once which activities are known, and what became of the records before."""
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
            table = TABLES[kind]
            own = (table.c.participant_id == self.participant_id, table.c.id.in_(wanted))
            for row in await self.db.execute(select(table).where(*own)):
                self.stored[kind, row.id] = row

    def created(self, kind: ChangedKind, record_id: uuid.UUID) -> None:
        """Note a record that is new, or says something new."""
        self.changes.append(Change(kind, record_id))

    def tombstone(self, kind: ChangedKind, record_id: uuid.UUID) -> None:
        """Note a record that is gone, and never comes back."""
        self.changes.append(Change(kind, record_id, deleted=True))
        self.deleted.add((kind, record_id))

    async def finish(self) -> None:
        """Number what changed."""
        await record_changes(self.db, self.participant_id, self.changes, self.now)
