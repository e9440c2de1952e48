"""Devices: further phones, lost phones, new tokens, and the code that links a phone again."""

import datetime
import math
import uuid

from sqlalchemy import delete, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.clock import Clock
from api.core.db import Database, insert_once
from api.core.errors import (
    CHALLENGE,
    Fault,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    RateLimited,
)
from api.core.tokens import hash_secret, same_secret
from api.participants.models import DEVICES, PARTICIPANTS, RECOVERY
from api.participants.recovery import make_recovery_code, read_recovery_code
from api.participants.schemas import DeviceList, DeviceState, LinkedDevice
from api.participants.tokens import DeviceToken, make_token

# Guesses are told apart from typing errors by the check symbol, so that few are enough.
FREE_ATTEMPTS = 5
FIRST_WAIT = datetime.timedelta(minutes=1)
LONGEST_WAIT = datetime.timedelta(days=1)


async def add_device(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> DeviceToken:
    """Add a device with a new token."""
    token = make_token(participant_id, uuid.uuid4())
    await db.execute(
        insert(DEVICES).values(
            participant_id=participant_id,
            device_id=token.device_id,
            secret_hash=hash_secret(token.secret),
            pending_hash=None,
            created_at=now,
            revoked_at=None,
        )
    )
    return token


async def renew_recovery_code(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> str:
    """Give a participant a new code; the one before ends."""
    await db.execute(delete(RECOVERY).where(RECOVERY.c.participant_id == participant_id))
    while True:
        code = make_recovery_code()
        values = {
            "locator": code.locator,
            "participant_id": participant_id,
            "secret_hash": hash_secret(code.secret),
            "created_at": now,
            "failed_attempts": 0,
            "locked_until": None,
        }
        if await insert_once(db, RECOVERY, values):
            return str(code)


def wait_after(failed_attempts: int) -> datetime.timedelta | None:
    """Return how long a code is locked after so many wrong guesses: it doubles, up to a day."""
    if failed_attempts < FREE_ATTEMPTS:
        return None
    doubled = FIRST_WAIT * (1 << min(failed_attempts - FREE_ATTEMPTS, 20))
    return min(doubled, LONGEST_WAIT)


async def link_device(database: Database, typed: str, clock: Clock) -> LinkedDevice:
    """Link a further phone by the recovery code.

    A wrong guess is counted in a transaction of its own, which its refusal does not undo.
    """
    code = read_recovery_code(typed)
    if code is None:
        message = "This is not a whole recovery code: a character is missing or wrong."
        raise InvalidRequest(message, faults=[Fault("/recovery_code", "mistyped_code", message)])
    now = clock.now()
    refused: NotAuthenticated | RateLimited | None = None
    async with database.write() as db:
        # The person first, as an erasure has it: each would otherwise wait for the other.
        owner = select(RECOVERY.c.participant_id).where(RECOVERY.c.locator == code.locator)
        people = select(PARTICIPANTS.c.participant_id).where(
            PARTICIPANTS.c.participant_id.in_(owner)
        )
        await db.execute(people.with_for_update(key_share=True))
        statement = select(RECOVERY).where(RECOVERY.c.locator == code.locator).with_for_update()
        row = (await db.execute(statement)).first()
        if row is None:
            refused = NotAuthenticated("The recovery code is not valid.", headers=CHALLENGE)
        elif row.locked_until is not None and row.locked_until > now:
            wait = max(1, math.ceil((row.locked_until - now).total_seconds()))
            refused = RateLimited(
                f"Too many wrong codes; try again in {wait} seconds.",
                headers={"Retry-After": str(wait)},
            )
        elif not same_secret(code.secret, row.secret_hash):
            failed = row.failed_attempts + 1
            wait_for = wait_after(failed)
            await db.execute(
                update(RECOVERY)
                .where(RECOVERY.c.locator == code.locator)
                .values(failed_attempts=failed, locked_until=now + wait_for if wait_for else None)
            )
            refused = NotAuthenticated("The recovery code is not valid.", headers=CHALLENGE)
        else:
            await db.execute(
                update(RECOVERY)
                .where(RECOVERY.c.locator == code.locator)
                .values(failed_attempts=0, locked_until=None)
            )
            token = await add_device(db, row.participant_id, now)
            await mark_used(db, row.participant_id)
    if refused is not None:
        raise refused
    return LinkedDevice(
        participant_id=token.participant_id, device_id=token.device_id, device_token=str(token)
    )


async def list_devices(
    db: AsyncSession, participant_id: uuid.UUID, current: uuid.UUID
) -> DeviceList:
    """List one's own devices, oldest first."""
    statement = (
        select(DEVICES)
        .where(DEVICES.c.participant_id == participant_id)
        .order_by(DEVICES.c.created_at, DEVICES.c.device_id)
        .limit(200)
    )
    rows = (await db.execute(statement)).all()
    return DeviceList(
        items=[
            DeviceState(
                device_id=row.device_id,
                created_at=row.created_at,
                revoked_at=row.revoked_at,
                current=row.device_id == current,
            )
            for row in rows
        ],
        next_cursor=None,
    )


async def revoke_device(
    db: AsyncSession, participant_id: uuid.UUID, device_id: uuid.UUID, clock: Clock
) -> None:
    """End a device's token, at once; ending it again changes nothing."""
    own = (DEVICES.c.participant_id == participant_id, DEVICES.c.device_id == device_id)
    if (await db.execute(select(DEVICES.c.device_id).where(*own))).first() is None:
        raise NotFound("You have no such device.")
    await db.execute(
        update(DEVICES)
        .where(*own, DEVICES.c.revoked_at.is_(None))
        .values(revoked_at=clock.now(), pending_hash=None)
    )


async def rotate_token(
    db: AsyncSession, participant_id: uuid.UUID, device_id: uuid.UUID
) -> LinkedDevice:
    """Give a device a new token.

    The old one lives until the new one is first used, so that an answer lost on the line locks no
    phone out; rotating again replaces the one that waits.
    """
    token = make_token(participant_id, device_id)
    await db.execute(
        update(DEVICES)
        .where(DEVICES.c.participant_id == participant_id, DEVICES.c.device_id == device_id)
        .values(pending_hash=hash_secret(token.secret))
    )
    return LinkedDevice(participant_id=participant_id, device_id=device_id, device_token=str(token))


async def take_up_pending(db: AsyncSession, token: DeviceToken) -> None:
    """Make the token that waited the only one."""
    pending = hash_secret(token.secret)
    await db.execute(
        update(DEVICES)
        .where(
            DEVICES.c.participant_id == token.participant_id,
            DEVICES.c.device_id == token.device_id,
            DEVICES.c.pending_hash == pending,
        )
        .values(secret_hash=pending, pending_hash=None)
    )


async def mark_used(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Note once that an enrolment is in use, so that no purge takes it."""
    unused = PARTICIPANTS.c.used.is_(False)
    await db.execute(
        update(PARTICIPANTS)
        .where(PARTICIPANTS.c.participant_id == participant_id, unused)
        .values(used=True)
    )
