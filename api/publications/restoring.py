"""Restores into the database what is in the publication log after a backup was restored."""

import datetime
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import Database, insert_once
from api.core.errors import NotReady
from api.core.locks import job_lock
from api.participants.models import Participant
from api.publications.log import LoggedPublication, PublicationLog, hash_of
from api.publications.models import Installation, Publication

# Deletes everything of a participant; `privacy`, a layer above, knows which tables that is.
Erase = Callable[[AsyncSession, uuid.UUID], Awaitable[object]]


@dataclass(frozen=True)
class RestoredFromLog:
    """What the restored database was missing, and what is wrong with the log."""

    not_released: tuple[str, ...]
    erased_again: int
    # Why nothing can be published by this log, in words for the operator.
    log_is_not_ours: str | None = None
    log_was_cut_off: bool = False


async def _installation(db: AsyncSession) -> Installation:
    found = (await db.exec(select(Installation))).one_or_none()
    if found is None:
        message = "The database has no installation id. Run: footing migrate"
        raise NotReady(message)
    return found


async def installation_id(db: AsyncSession) -> uuid.UUID:
    """Return the id of this installation."""
    return (await _installation(db)).id


async def adopt(database: Database, log: PublicationLog, installation: uuid.UUID) -> None:
    """Use a log for this installation, on the operator's explicit request."""
    async with database.read() as db:
        row = await _installation(db)
    if row.id != installation:
        message = f"This database is installation {row.id}, not {installation}."
        raise NotReady(message)
    if not log.read(installation).knows_installation:
        log.begin(installation, row.installed_on)


async def restore_from_log(
    database: Database, log: PublicationLog, erase: Erase, today: datetime.date, grace_days: int
) -> RestoredFromLog:
    """Bring the database up to date with the log: at every start, and before anything is published.

    A period that the log lists as closed was drawn once; its cells are lost and never drawn again.

    No period closes within the grace period, in days. A log without an entry for an older
    installation may be the wrong one: nothing is written to it, as what else it lacks is unknown.
    """
    async with database.read() as db:
        installed = await _installation(db)
    installation = installed.id
    # Before the database: every entry of the log was committed by then.
    logged = log.read(installation)
    age = (today - installed.installed_on).days
    not_ours = None
    if not logged.knows_installation and age > grace_days:
        not_ours = (
            f"The publication log {log.path} has no entry for this installation, which is {age} "
            "days old. If the log was lost or moved, restore it: without it, periods missing "
            "from a restored backup would be published twice, and participants erased since would "
            f"remain. If there never was one, run: footing publish --adopt-log {installation}"
        )
    elif not logged.knows_installation:
        log.begin(installation, installed.installed_on)
    again: list[uuid.UUID] = []
    async with database.read() as db:
        rows = (await db.exec(select(Publication))).all()
        if logged.erased:
            # Streamed: there may be many.
            participants = await db.stream_scalars(select(Participant.participant_id))
            again = [found async for found in participants if hash_of(found) in logged.erased]
    lost = sorted(set(logged.closed) - {row.id for row in rows})
    if lost or again:
        async with job_lock(database, "publish") as db:
            for name in lost:
                await insert_once(db, Publication, {**vars(logged.closed[name]), "released": False})
            for participant_id in again:
                await erase(db, participant_id)
    if not_ours is None:
        for row in rows:
            if row.id not in logged.closed:
                log.closed(LoggedPublication.of(row), installation)
    return RestoredFromLog(tuple(lost), len(again), not_ours, logged.unfinished)
