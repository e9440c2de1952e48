"""The numbered change feed of a participant, from which other devices synchronise."""

import datetime
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import UNSYNCED
from api.participants.models import Participant, RecordedChange


class ChangedKind(StrEnum):
    """The kind of record that changed."""

    SESSION = "session"
    SYMPTOM_REPORT = "symptom_report"
    CLEARANCE = "clearance"
    PROFILE = "profile"
    CONSENT = "consent"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Change:
    """A record that was stored, changed or deleted.

    Profile, consent and schedule exist once for each participant: their id is the participant's.
    """

    kind: ChangedKind
    record_id: uuid.UUID
    deleted: bool = False


COUNT_CHANGES = (
    update(Participant)
    .where(col(Participant.participant_id) == bindparam("owner"))
    .values(last_change=col(Participant.last_change) + bindparam("count"))
    .returning(col(Participant.last_change))
    .execution_options(**UNSYNCED)
)


async def record_changes(
    db: AsyncSession, participant_id: uuid.UUID, changes: Sequence[Change], now: datetime.datetime
) -> None:
    """Number changes without gaps, in the order in which their transactions commit.

    The update locks the participant's row until the commit, so that no reader sees a number before
    all lower ones. Call `lock_participant` before the first write: two transactions that store the
    same record would otherwise deadlock.
    """
    if not changes:
        return
    arguments = {"owner": participant_id, "count": len(changes)}
    last: int = (await db.exec(COUNT_CHANGES, params=arguments)).scalar_one()
    first = last - len(changes) + 1
    rows = [
        {
            "participant_id": participant_id,
            "number": number,
            "kind": change.kind.value,
            "record_id": change.record_id,
            "deleted": change.deleted,
            "changed_at": now,
        }
        for number, change in enumerate(changes, first)
    ]
    await db.exec(insert(RecordedChange), params=rows)


async def deleted_among(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> set[tuple[ChangedKind, uuid.UUID]]:
    """Return which of these records the participant deleted."""
    statement = select(RecordedChange.kind, RecordedChange.record_id).where(
        RecordedChange.participant_id == participant_id,
        col(RecordedChange.record_id).in_(ids),
        col(RecordedChange.deleted),
    )
    return {(ChangedKind(kind), record_id) for kind, record_id in await db.exec(statement)}


async def was_stored(db: AsyncSession, participant_id: uuid.UUID, record_id: uuid.UUID) -> bool:
    """Return whether a record was ever stored, even if it was deleted since."""
    statement = (
        select(RecordedChange.number)
        .where(
            RecordedChange.participant_id == participant_id,
            RecordedChange.record_id == record_id,
            ~col(RecordedChange.deleted),
        )
        .limit(1)
    )
    return (await db.exec(statement)).first() is not None


async def change_at(db: AsyncSession, participant_id: uuid.UUID, number: int) -> uuid.UUID | None:
    """Return the record of the change with this number, or None if there is no such change."""
    statement = select(RecordedChange.record_id).where(
        RecordedChange.participant_id == participant_id, RecordedChange.number == number
    )
    return (await db.exec(statement)).one_or_none()
