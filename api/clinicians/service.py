"""Issues, lists, revokes and verifies clinicians' keys."""

import contextlib
import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, or_, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.clinicians.errors import refused
from api.clinicians.identity import Clinician, Scope
from api.clinicians.keys import PlaintextKey, make_key
from api.clinicians.models import AuditEntry, ClinicianKey
from api.core.clock import Clock
from api.core.db import UNSYNCED
from api.core.tokens import hash_secret


@dataclass(frozen=True)
class ClinicianKeyState:
    """A key without its secret; `last_used_at` is its newest entry in the audit log."""

    key_id: uuid.UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime.datetime
    expires_at: datetime.datetime
    revoked_at: datetime.datetime | None
    last_used_at: datetime.datetime | None


async def add_key(
    db: AsyncSession, name: str, days: int, scopes: Iterable[Scope], clock: Clock
) -> tuple[PlaintextKey, datetime.datetime]:
    """Store a new key; return it in plain text, which is possible only now, and its expiry."""
    key, now = make_key(), clock.now()
    expires_at = now + datetime.timedelta(days=days)
    await db.exec(
        insert(ClinicianKey).values(
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


async def list_keys(db: AsyncSession) -> list[ClinicianKeyState]:
    """List all keys ever issued, oldest first."""
    used = (
        select(func.max(AuditEntry.number)).where(AuditEntry.kind == "key").group_by(AuditEntry.who)
    )
    newest = select(AuditEntry.who, AuditEntry.asked_at).where(col(AuditEntry.number).in_(used))
    last_used = dict((await db.exec(newest)).all())
    statement = select(ClinicianKey).order_by(
        col(ClinicianKey.created_at), col(ClinicianKey.key_id)
    )
    return [
        ClinicianKeyState(
            key_id=key.key_id,
            name=key.name,
            scopes=tuple(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=last_used.get(key.key_id.hex),
        )
        for key in await db.exec(statement)
    ]


async def revoke_keys(db: AsyncSession, name_or_id: str, clock: Clock) -> tuple[int, int]:
    """Revoke all keys with a name, or the key with an id; return how many, of how many found."""
    named = col(ClinicianKey.name) == name_or_id
    with contextlib.suppress(ValueError):  # not an id, so it can only be a name
        named = or_(named, col(ClinicianKey.key_id) == uuid.UUID(name_or_id))
    found = len((await db.exec(select(ClinicianKey.key_id).where(named))).all())
    revoked = await db.exec(
        update(ClinicianKey)
        .where(named, col(ClinicianKey.revoked_at).is_(None))
        .values(revoked_at=clock.now())
        .returning(col(ClinicianKey.key_id)),
        execution_options=UNSYNCED,
    )
    return len(revoked.all()), found


async def verify_key(db: AsyncSession, key: PlaintextKey, clock: Clock) -> Clinician:
    """Verify a key; without the right secret nothing about it is revealed."""
    statement = select(ClinicianKey).where(ClinicianKey.key_id == key.key_id)
    stored = (await db.exec(statement)).first()
    if stored is None or not key.matches(stored.secret_hash):
        raise refused("The key is not valid.")
    if stored.revoked_at is not None:
        raise refused("The key was revoked.")
    if stored.expires_at <= clock.now():
        raise refused("The key has expired.")
    scopes = frozenset(stored.scopes)
    return Clinician("key", key.key_id.hex, stored.name, scopes, stored.expires_at, None)
