"""What a participant agrees to: storage and research apart, by version, with its history."""

import datetime
import uuid
from collections.abc import Iterator

from sqlalchemy import insert, select, update
from sqlalchemy.exc import NoResultFound
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.errors import Fault
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.models import CONSENTS, PARTICIPANTS
from api.participants.schemas import CONSENTS_SHOWN, ConsentChoice, ConsentHistory, ConsentState


def version_faults(catalogue: Catalogue, choice: ConsentChoice, pointer: str) -> Iterator[Fault]:
    """Say that there are no consent texts of this version, and which there are."""
    versions = {consent.version for consent in catalogue.consents}
    if choice.version not in versions:
        message = f"Unknown version; there is {', '.join(sorted(versions))}."
        yield Fault(pointer, "unknown_consent_version", message)


async def add(
    db: AsyncSession,
    participant_id: uuid.UUID,
    number: int,
    choice: ConsentChoice,
    now: datetime.datetime,
) -> None:
    """Add what a participant agrees to now. Nothing of the history is ever changed."""
    await db.execute(
        insert(CONSENTS).values(
            participant_id=participant_id,
            number=number,
            version=choice.version,
            storage=choice.storage,
            research=choice.research,
            given_at=now,
        )
    )


async def history(db: AsyncSession, participant_id: uuid.UUID) -> ConsentHistory:
    """Return what a participant agrees to and what came before, newest first."""
    rows = await db.execute(
        select(CONSENTS)
        .where(CONSENTS.c.participant_id == participant_id)
        .order_by(CONSENTS.c.number.desc())
        .limit(CONSENTS_SHOWN)
    )
    states = [
        ConsentState(
            version=row.version,
            storage=row.storage,
            research=row.research,
            given_at=row.given_at,
        )
        for row in rows
    ]
    if not states:
        raise NoResultFound  # everybody has one: this person was erased a moment ago
    return ConsentHistory(current=states[0], history=states)


async def give(
    db: AsyncSession, participant_id: uuid.UUID, choice: ConsentChoice, now: datetime.datetime
) -> ConsentHistory:
    """Record what a participant agrees to from now on, the participant being locked.

    The same again is no new choice.
    """
    newest = (
        select(CONSENTS)
        .where(CONSENTS.c.participant_id == participant_id)
        .order_by(CONSENTS.c.number.desc())
        .limit(1)
    )
    row = (await db.execute(newest)).one()
    if (row.version, row.storage, row.research) != (
        choice.version,
        choice.storage,
        choice.research,
    ):
        await add(db, participant_id, row.number + 1, choice, now)
        await db.execute(
            update(PARTICIPANTS)
            .where(PARTICIPANTS.c.participant_id == participant_id)
            .values(storage_consent=choice.storage)
        )
        changed = Change(ChangedKind.CONSENT, participant_id)
        await record_changes(db, participant_id, [changed], now)
    return await history(db, participant_id)
