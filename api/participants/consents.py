"""Consent to storage and to research, separately, by version, with its history."""

import datetime
import uuid
from collections.abc import Iterator

from sqlalchemy import insert, update
from sqlalchemy.exc import NoResultFound
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.db import UNSYNCED
from api.core.errors import Fault
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.models import ConsentRecord, Participant
from api.participants.schemas import CONSENTS_SHOWN, ConsentChoice, ConsentHistory, ConsentState


def version_faults(catalogue: Catalogue, choice: ConsentChoice, pointer: str) -> Iterator[Fault]:
    """Yield a fault for an unknown version of the consent texts, naming the known ones."""
    versions = {consent.version for consent in catalogue.consents}
    if choice.version not in versions:
        message = f"Unknown version. Available: {', '.join(sorted(versions))}."
        yield Fault(pointer, "unknown_consent_version", message)


async def add(
    db: AsyncSession,
    participant_id: uuid.UUID,
    number: int,
    choice: ConsentChoice,
    now: datetime.datetime,
) -> None:
    """Add an entry to the consent history, which is append-only."""
    await db.exec(
        insert(ConsentRecord).values(
            participant_id=participant_id,
            number=number,
            version=choice.version,
            storage=choice.storage,
            research=choice.research,
            given_at=now,
        )
    )


async def history(db: AsyncSession, participant_id: uuid.UUID) -> ConsentHistory:
    """Return the current consent and the ones before it, newest first."""
    statement = (
        select(ConsentRecord)
        .where(ConsentRecord.participant_id == participant_id)
        .order_by(col(ConsentRecord.number).desc())
        .limit(CONSENTS_SHOWN)
    )
    states = [
        ConsentState.model_validate(record, from_attributes=True)
        for record in await db.exec(statement)
    ]
    if not states:
        raise NoResultFound  # every participant has one, so this one was erased in the meantime
    return ConsentHistory(current=states[0], history=states)


async def give(
    db: AsyncSession, participant_id: uuid.UUID, choice: ConsentChoice, now: datetime.datetime
) -> ConsentHistory:
    """Record a new choice, unless it equals the current one; the caller holds the lock."""
    newest = (
        select(ConsentRecord)
        .where(ConsentRecord.participant_id == participant_id)
        .order_by(col(ConsentRecord.number).desc())
        .limit(1)
    )
    current = (await db.exec(newest)).one()
    if (current.version, current.storage, current.research) != (
        choice.version,
        choice.storage,
        choice.research,
    ):
        await add(db, participant_id, current.number + 1, choice, now)
        await db.exec(
            update(Participant)
            .where(col(Participant.participant_id) == participant_id)
            .values(storage_consent=choice.storage),
            execution_options=UNSYNCED,
        )
        changed = Change(ChangedKind.CONSENT, participant_id)
        await record_changes(db, participant_id, [changed], now)
    return await history(db, participant_id)
