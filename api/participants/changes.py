"""The numbered changes of a participant, from which another phone learns what is new."""

import datetime
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.participants.models import CHANGES, PARTICIPANTS


class ChangedKind(StrEnum):
    """What changed."""

    SESSION = "session"
    SYMPTOM_REPORT = "symptom_report"
    CLEARANCE = "clearance"
    PROFILE = "profile"
    CONSENT = "consent"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Change:
    """A record that became new, or was deleted.

    Of the kinds that a participant has only one of, the id is the participant's own.
    """

    kind: ChangedKind
    record_id: uuid.UUID
    deleted: bool = False


async def record_changes(
    db: AsyncSession, participant_id: uuid.UUID, changes: Sequence[Change], now: datetime.datetime
) -> None:
    """Number changes without gaps, in the order in which their transactions commit.

    The update holds the participant's row until the commit, so nobody can read a number while a
    lower one is still to come. Call `lock_participant` before the first write: two transactions
    that store the same record would otherwise wait for each other.
    """
    if not changes:
        return
    counted = (
        update(PARTICIPANTS)
        .where(PARTICIPANTS.c.participant_id == participant_id)
        .values(last_change=PARTICIPANTS.c.last_change + len(changes))
        .returning(PARTICIPANTS.c.last_change)
    )
    last: int = (await db.execute(counted)).scalar_one()
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
    await db.execute(insert(CHANGES), rows)


async def deleted_among(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> set[tuple[ChangedKind, uuid.UUID]]:
    """Tell which of these records the participant deleted."""
    statement = (
        select(CHANGES.c.kind, CHANGES.c.record_id)
        .where(CHANGES.c.participant_id == participant_id)
        .where(CHANGES.c.record_id.in_(ids), CHANGES.c.deleted)
    )
    return {(ChangedKind(row.kind), row.record_id) for row in await db.execute(statement)}


async def was_stored(db: AsyncSession, participant_id: uuid.UUID, record_id: uuid.UUID) -> bool:
    """Tell whether a record was ever there, deleted since or not."""
    statement = (
        select(CHANGES.c.number)
        .where(CHANGES.c.participant_id == participant_id, CHANGES.c.record_id == record_id)
        .where(~CHANGES.c.deleted)
        .limit(1)
    )
    return (await db.execute(statement)).first() is not None


async def change_at(db: AsyncSession, participant_id: uuid.UUID, number: int) -> uuid.UUID | None:
    """Name the record that a change of this number is about; None where there is no such change."""
    statement = select(CHANGES.c.record_id).where(
        CHANGES.c.participant_id == participant_id, CHANGES.c.number == number
    )
    return (await db.execute(statement)).scalar_one_or_none()
