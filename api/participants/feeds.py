"""The address of a participant's calendar: unguessable, revocable, and kept as a hash."""

import datetime
import secrets
import uuid

from sqlalchemy import delete, insert, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.errors import NotFound
from api.core.tokens import SECRET_BYTES, hash_secret
from api.http.languages import choose_language
from api.participants.calendars import write_calendar
from api.participants.models import FEEDS, PARTICIPANTS
from api.participants.schedules import plan_in_force
from api.participants.schemas import NewCalendarFeed


async def make_feed(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> NewCalendarFeed:
    """Make a new address, the participant being locked; the one before ends."""
    await end_feed(db, participant_id)
    token = secrets.token_hex(SECRET_BYTES)
    await db.execute(
        insert(FEEDS).values(
            token_hash=hash_secret(token), participant_id=participant_id, created_at=now
        )
    )
    return NewCalendarFeed(path=f"/v1/calendars/{token}.ics", created_at=now)


async def end_feed(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """End the address; ending it again changes nothing."""
    await db.execute(delete(FEEDS).where(FEEDS.c.participant_id == participant_id))


async def read_feed(db: AsyncSession, token: str, catalogue: Catalogue) -> bytes:
    """Write the calendar behind an address, in its owner's language."""
    token_hash = hash_secret(token)
    owners = (
        select(FEEDS.c.participant_id, PARTICIPANTS.c.language)
        .join(PARTICIPANTS, PARTICIPANTS.c.participant_id == FEEDS.c.participant_id)
        .where(FEEDS.c.token_hash == token_hash)
    )
    owner = (await db.execute(owners)).first()
    if owner is None:
        raise NotFound("There is no such calendar, or it has ended.")
    in_force = await plan_in_force(db, owner.participant_id)
    # It names the calendar and nobody: made of what is kept of its address.
    calendar_id = uuid.uuid5(uuid.NAMESPACE_URL, token_hash)
    return write_calendar(in_force, reminder_title(catalogue, owner.language), calendar_id)


def reminder_title(catalogue: Catalogue, language: str) -> str:
    """Return the neutral words that a reminder bears, in the nearest language there is."""
    return catalogue.phrase(
        "reminder_title", choose_language(None, language, catalogue.language_codes)
    )
