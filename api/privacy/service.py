"""Erases everything of a participant at once, and writes everything out."""

import datetime
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.content.catalogue import Catalogue
from api.core.clock import Clock
from api.core.db import Database
from api.participants.service import remember_erased_tokens
from api.privacy.purge import deleted
from api.privacy.registry import REGISTRY, Personal
from api.privacy.schemas import ErasedTable, ErasureReceipt

FORMAT = "footing-export/1"
PAGE = 500


async def erase(
    db: AsyncSession,
    participant_id: uuid.UUID,
    catalogue: Catalogue,
    language: str,
    clock: Clock,
) -> ErasureReceipt:
    """Delete every row of a participant from every personal table, in one transaction.

    The hashes of their tokens stay for 30 days without any id beside them, so that a second phone
    learns why it is no longer let in.
    """
    now = clock.now()
    await remember_erased_tokens(db, participant_id, now)
    erased = []
    for personal in REGISTRY:
        statement = delete(personal.table).where(personal.table.c.participant_id == participant_id)
        result = await db.execute(statement)
        erased.append(ErasedTable(name=personal.name, records=deleted(result)))
    return ErasureReceipt(
        erased_at=now,
        erased=erased,
        what_stays=catalogue.phrase("erasure_what_stays", language),
    )


def plain(value: Any) -> Any:
    """Write a column's value as JSON; instants in UTC with Z, as everywhere."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


async def _rows(
    db: AsyncSession, personal: Personal, participant_id: uuid.UUID
) -> AsyncIterator[dict[str, Any]]:
    """Read a table page by page, in the order of its key."""
    key = [column for column in personal.table.primary_key if column.name != "participant_id"]
    statement = (
        select(personal.table)
        .where(personal.table.c.participant_id == participant_id)
        .order_by(*key)
    )
    offset = 0
    while True:
        page = (await db.execute(statement.limit(PAGE).offset(offset))).all()
        for row in page:
            yield {name: plain(getattr(row, name)) for name in personal.exported}
        if len(page) < PAGE:
            return
        offset += PAGE


async def export(
    database: Database, participant_id: uuid.UUID, clock: Clock
) -> AsyncIterator[bytes]:
    """Write everything of a participant as one JSON document, piece by piece."""
    now = plain(clock.now())
    head = {"format": FORMAT, "exported_at": now, "participant_id": str(participant_id)}
    yield json.dumps(head)[:-1].encode()
    async with database.read() as db:
        for personal in REGISTRY:
            yield f', "{personal.name}": ['.encode()
            first = True
            async for row in _rows(db, personal, participant_id):
                separator = b"" if first else b", "
                first = False
                yield separator + json.dumps(row, ensure_ascii=False).encode()
            yield b"]"
    yield b"}"
