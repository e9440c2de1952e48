"""Devices: linking another one, revoking a lost one, new tokens, and the recovery code."""

import datetime
import math
import uuid

from sqlalchemy import delete, insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.clock import Clock
from api.core.db import UNSYNCED, Database, insert_once
from api.core.errors import (
    CHALLENGE,
    Fault,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Problem,
    RateLimited,
)
from api.core.tokens import hash_secret, same_secret
from api.participants.models import Device, Participant, RecoveryCodeHash
from api.participants.recovery import RecoveryCode, make_recovery_code, read_recovery_code
from api.participants.schemas import DeviceList, DeviceState, LinkedDevice
from api.participants.tokens import DeviceToken, make_token

# The check symbol catches typing errors, so that few real guesses are enough.
FREE_ATTEMPTS = 5
FIRST_WAIT = datetime.timedelta(minutes=1)
LONGEST_WAIT = datetime.timedelta(days=1)
DEVICES_LISTED = 200


async def add_device(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> DeviceToken:
    """Add a device with a new token."""
    token = make_token(participant_id, uuid.uuid4())
    await db.exec(
        insert(Device).values(
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
    """Issue a new recovery code; the previous one becomes invalid."""
    own = col(RecoveryCodeHash.participant_id) == participant_id
    await db.exec(delete(RecoveryCodeHash).where(own), execution_options=UNSYNCED)
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
        if await insert_once(db, RecoveryCodeHash, values):
            return str(code)


def wait_after(failed_attempts: int) -> datetime.timedelta | None:
    """Return for how long a code is locked after wrong guesses: it doubles, up to a day."""
    if failed_attempts < FREE_ATTEMPTS:
        return None
    doubled = FIRST_WAIT * (1 << min(failed_attempts - FREE_ATTEMPTS, 20))
    return min(doubled, LONGEST_WAIT)


async def link_device(database: Database, typed: str, clock: Clock) -> LinkedDevice:
    """Link another device by the recovery code.

    A wrong guess is counted in the transaction that finds it, which its refusal must not undo.
    """
    code = read_recovery_code(typed)
    if code is None:
        message = "This is not a complete recovery code: a character is missing or wrong."
        raise InvalidRequest(message, faults=[Fault("/recovery_code", "mistyped_code", message)])
    async with database.write() as db:
        result = await _use_code(db, code, clock.now())
    if isinstance(result, Problem):
        raise result
    return LinkedDevice(
        participant_id=result.participant_id,
        device_id=result.device_id,
        device_token=str(result),
    )


async def _use_code(
    db: AsyncSession, code: RecoveryCode, now: datetime.datetime
) -> DeviceToken | Problem:
    """Add a device if the code is right and not locked; otherwise count the attempt."""
    # The participant's row first, as in an erasure: in another order the two could deadlock.
    owner = select(RecoveryCodeHash.participant_id).where(RecoveryCodeHash.locator == code.locator)
    await db.exec(
        select(Participant.participant_id)
        .where(col(Participant.participant_id).in_(owner))
        .with_for_update(key_share=True)
    )
    statement = (
        select(RecoveryCodeHash).where(RecoveryCodeHash.locator == code.locator).with_for_update()
    )
    stored = (await db.exec(statement)).first()
    if stored is None:
        return NotAuthenticated("The recovery code is not valid.", headers=CHALLENGE)
    if stored.locked_until is not None and stored.locked_until > now:
        wait = max(1, math.ceil((stored.locked_until - now).total_seconds()))
        return RateLimited(
            f"Too many wrong codes; try again in {wait} seconds.",
            headers={"Retry-After": str(wait)},
        )
    is_right = same_secret(code.secret, stored.secret_hash)
    failed = 0 if is_right else stored.failed_attempts + 1
    wait_for = wait_after(failed)
    await db.exec(
        update(RecoveryCodeHash)
        .where(col(RecoveryCodeHash.locator) == code.locator)
        .values(failed_attempts=failed, locked_until=now + wait_for if wait_for else None),
        execution_options=UNSYNCED,
    )
    if not is_right:
        return NotAuthenticated("The recovery code is not valid.", headers=CHALLENGE)
    token = await add_device(db, stored.participant_id, now)
    await mark_used(db, stored.participant_id)
    return token


async def list_devices(
    db: AsyncSession, participant_id: uuid.UUID, current: uuid.UUID
) -> DeviceList:
    """List the participant's devices, oldest first; `current` makes the request."""
    statement = (
        select(Device)
        .where(Device.participant_id == participant_id)
        .order_by(col(Device.created_at), col(Device.device_id))
        .limit(DEVICES_LISTED)
    )
    return DeviceList(
        items=[
            DeviceState(
                device_id=device.device_id,
                created_at=device.created_at,
                revoked_at=device.revoked_at,
                current=device.device_id == current,
            )
            for device in await db.exec(statement)
        ],
        next_cursor=None,
    )


async def revoke_device(
    db: AsyncSession, participant_id: uuid.UUID, device_id: uuid.UUID, clock: Clock
) -> None:
    """Revoke a device's token at once; revoking it again changes nothing."""
    own = (col(Device.participant_id) == participant_id, col(Device.device_id) == device_id)
    if (await db.exec(select(Device.device_id).where(*own))).first() is None:
        raise NotFound("Unknown device.")
    await db.exec(
        update(Device)
        .where(*own, col(Device.revoked_at).is_(None))
        .values(revoked_at=clock.now(), pending_hash=None),
        execution_options=UNSYNCED,
    )


async def rotate_token(
    db: AsyncSession, participant_id: uuid.UUID, device_id: uuid.UUID
) -> LinkedDevice:
    """Issue a new token for a device.

    The old token stays valid until the new one is first used, so that a lost response locks no
    device out. Rotating again replaces the unused token.
    """
    token = make_token(participant_id, device_id)
    await db.exec(
        update(Device)
        .where(col(Device.participant_id) == participant_id, col(Device.device_id) == device_id)
        .values(pending_hash=hash_secret(token.secret)),
        execution_options=UNSYNCED,
    )
    return LinkedDevice(participant_id=participant_id, device_id=device_id, device_token=str(token))


async def take_up_pending(db: AsyncSession, token: DeviceToken) -> None:
    """Make a rotated token the device's only one."""
    pending = hash_secret(token.secret)
    await db.exec(
        update(Device)
        .where(
            col(Device.participant_id) == token.participant_id,
            col(Device.device_id) == token.device_id,
            col(Device.pending_hash) == pending,
        )
        .values(secret_hash=pending, pending_hash=None),
        execution_options=UNSYNCED,
    )


async def mark_used(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Record that an enrolment is in use, so that no purge deletes it."""
    await db.exec(
        update(Participant)
        .where(col(Participant.participant_id) == participant_id, col(Participant.used).is_(False))
        .values(used=True),
        execution_options=UNSYNCED,
    )
