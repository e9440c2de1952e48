"""Gives keys out, ends them, and tells whose a key is."""

import contextlib
import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, insert, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.clinicians.errors import refused
from api.clinicians.identity import Clinician, Scope
from api.clinicians.keys import Key, make_key
from api.clinicians.models import AUDIT, KEYS
from api.core.clock import Clock
from api.core.tokens import hash_secret


@dataclass(frozen=True)
class KeyState:
    """A key as an operator sees it; `last_used_at` is its newest entry in the audit log."""

    key_id: uuid.UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime.datetime
    expires_at: datetime.datetime
    revoked_at: datetime.datetime | None
    last_used_at: datetime.datetime | None


async def add_key(
    db: AsyncSession, name: str, days: int, scopes: Iterable[Scope], clock: Clock
) -> tuple[Key, datetime.datetime]:
    """Store a new key; return it, this once, and when it ends."""
    key, now = make_key(), clock.now()
    expires_at = now + datetime.timedelta(days=days)
    await db.execute(
        insert(KEYS).values(
            key_id=key.key_id,
            name=name,
            secret_hash=hash_secret(key.secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    return key, expires_at


async def list_keys(db: AsyncSession) -> list[KeyState]:
    """List every key that was ever given out, oldest first."""
    used = (
        select(AUDIT.c.who, func.max(AUDIT.c.number).label("newest"))
        .where(AUDIT.c.kind == "key")
        .group_by(AUDIT.c.who)
        .subquery()
    )
    newest = {
        row.who: row.asked_at
        for row in await db.execute(
            select(AUDIT.c.who, AUDIT.c.asked_at).join(used, AUDIT.c.number == used.c.newest)
        )
    }
    rows = await db.execute(select(KEYS).order_by(KEYS.c.created_at, KEYS.c.key_id))
    return [
        KeyState(
            key_id=row.key_id,
            name=row.name,
            scopes=tuple(row.scopes),
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=newest.get(row.key_id.hex),
        )
        for row in rows
    ]


async def revoke_keys(db: AsyncSession, name_or_id: str, clock: Clock) -> tuple[int, int]:
    """End every key of a name, or the one of an id, at once; return how many, of how many."""
    named = KEYS.c.name == name_or_id
    with contextlib.suppress(ValueError):  # it can only be a name
        named = or_(named, KEYS.c.key_id == uuid.UUID(name_or_id))
    found = len((await db.execute(select(KEYS.c.key_id).where(named))).all())
    ended = await db.execute(
        update(KEYS)
        .where(named, KEYS.c.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(KEYS.c.key_id)
    )
    return len(ended.all()), found


async def verify_key(db: AsyncSession, key: Key, clock: Clock) -> Clinician:
    """Tell whose key it is; whoever does not know its secret learns nothing about it."""
    row = (await db.execute(select(KEYS).where(KEYS.c.key_id == key.key_id))).first()
    if row is None or not key.matches(row.secret_hash):
        raise refused("The key is not valid.")
    if row.revoked_at is not None:
        raise refused("The key was revoked.")
    if row.expires_at <= clock.now():
        raise refused("The key has expired.")
    return Clinician("key", key.key_id.hex, row.name, frozenset(row.scopes), row.expires_at, None)
