"""Puts right what a restored backup has forgotten: closed periods, and erased people."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.aggregates.models import INSTALLATIONS, PUBLICATIONS
from api.aggregates.publication_log import LoggedPublication, PublicationLog, hash_of
from api.core.db import Database, insert_once
from api.core.errors import NotReady
from api.participants.models import PARTICIPANTS

# Deletes all of a participant; the registry of what that is stands on a higher floor.
Erase = Callable[[AsyncSession, uuid.UUID], Awaitable[object]]


@dataclass(frozen=True)
class Mended:
    """What had been forgotten."""

    not_released: tuple[str, ...]
    erased_again: int


async def installation_id(db: AsyncSession) -> uuid.UUID:
    """Name this installation."""
    found = (await db.execute(select(INSTALLATIONS.c.id))).scalar_one_or_none()
    if found is None:
        message = "The database does not say which installation it is. Run: footing migrate"
        raise NotReady(message)
    return uuid.UUID(str(found))


async def put_right(database: Database, log: PublicationLog, erase: Erase) -> Mended:
    """Bring database and log in line: at every start, and before anything is published.

    A period that the log calls closed was drawn once; its cells are lost and never drawn again.
    """
    async with database.read() as db:
        installation = await installation_id(db)
    # Before the database: whatever stands in the log was committed by then.
    logged = log.read(installation)
    again: list[uuid.UUID] = []
    async with database.read() as db:
        rows = (await db.execute(select(PUBLICATIONS))).all()
        if logged.erased:
            # As a stream: there may be many.
            everybody = await db.stream_scalars(select(PARTICIPANTS.c.participant_id))
            again = [found async for found in everybody if hash_of(found) in logged.erased]
    lost = sorted(set(logged.closed) - {row.id for row in rows})
    if lost or again:
        async with database.write() as db:
            for name in lost:
                await insert_once(
                    db, PUBLICATIONS, {**vars(logged.closed[name]), "released": False}
                )
            for participant_id in again:
                await erase(db, participant_id)
    for row in rows:
        if row.id not in logged.closed:
            log.closed(LoggedPublication.of(row), installation)
    return Mended(tuple(lost), len(again))
