"""The URL of a participant's calendar feed: unguessable, revocable, stored as a hash."""

import datetime
import secrets
import uuid

from sqlalchemy import delete, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.db import UNSYNCED
from api.core.errors import NotFound
from api.core.tokens import SECRET_BYTES, hash_secret
from api.http.languages import choose_language
from api.participants.calendars import write_calendar
from api.participants.models import CalendarFeed, Participant
from api.participants.schedules import schedule_in_force
from api.participants.schemas import NewCalendarFeed


async def make_feed(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> NewCalendarFeed:
    """Create a new URL; the previous one stops working. The caller holds the participant's lock."""
    await end_feed(db, participant_id)
    token = secrets.token_hex(SECRET_BYTES)
    await db.exec(
        insert(CalendarFeed).values(
            token_hash=hash_secret(token), participant_id=participant_id, created_at=now
        )
    )
    return NewCalendarFeed(path=f"/v1/calendars/{token}.ics", created_at=now)


async def end_feed(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Revoke the URL; revoking it again changes nothing."""
    own = col(CalendarFeed.participant_id) == participant_id
    await db.exec(delete(CalendarFeed).where(own), execution_options=UNSYNCED)


async def read_feed(db: AsyncSession, token: str, catalogue: Catalogue) -> bytes:
    """Return the calendar of a URL, in its owner's language."""
    token_hash = hash_secret(token)
    statement = (
        select(Participant.participant_id, Participant.language)
        .join(CalendarFeed, col(CalendarFeed.participant_id) == Participant.participant_id)
        .where(CalendarFeed.token_hash == token_hash)
    )
    owner = (await db.exec(statement)).first()
    if owner is None:
        raise NotFound("Unknown or revoked calendar.")
    participant_id, language = owner
    in_force = await schedule_in_force(db, participant_id)
    # Derived from the stored hash: it identifies the calendar, not the participant.
    calendar_id = uuid.uuid5(uuid.NAMESPACE_URL, token_hash)
    return write_calendar(in_force, reminder_title(catalogue, language), calendar_id)


def reminder_title(catalogue: Catalogue, language: str) -> str:
    """Return the neutral title of reminders, in the best available language."""
    return catalogue.phrase(
        "reminder_title", choose_language(None, language, catalogue.language_codes)
    )
