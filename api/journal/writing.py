"""One transaction that writes to a participant's journal, and what it needs to know."""

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from api.content.service import known_activities
from api.journal.schemas import NewSession, Record
from api.participants.changes import Change, ChangedKind, deleted_among, record_changes
from api.triage.rules import RuleSet
from api.triage.service import RuleSets


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

    async def look_up(self, records: Iterable[Record]) -> None:
        """Find out at once which activities are known and which records were deleted before."""
        activities, ids = set(), set()
        for record in records:
            ids.add(record.id)
            if isinstance(record, NewSession):
                activities |= {item.activity_id for item in record.items}
        if activities:
            self.known_activities |= await known_activities(self.db, activities)
        if ids:
            self.deleted |= await deleted_among(self.db, self.participant_id, ids)

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
