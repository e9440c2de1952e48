"""Erases enrolments that were never used, and expired hashes of erased tokens."""

import datetime
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete
from sqlalchemy.engine import CursorResult
from sqlmodel import col, func, select

from api.core.clock import Clock
from api.core.db import UNSYNCED, Database
from api.core.locks import Notify, job_lock, quiet
from api.participants.models import ErasedToken, Participant
from api.participants.service import kept_too_long

# Per transaction: short enough that no request waits noticeably.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Purged:
    """How much was erased, or would be."""

    enrolments: int
    erased_tokens: int


def never_used(before: datetime.datetime) -> ColumnElement[bool]:
    """Return the condition that an enrolment is older than an instant, and was never used.

    Every authenticated request counts as use. That nothing was changed is checked as well, so that
    a fault in one check never costs a participant their records.
    """
    return and_(
        col(Participant.used).is_(False),
        col(Participant.last_change) == 0,
        col(Participant.enrolled_at) < before,
    )


async def purge(
    database: Database,
    clock: Clock,
    unused_for: datetime.timedelta,
    *,
    dry_run: bool = False,
    notify: Notify = quiet,
) -> Purged:
    """Erase in small transactions, while servers keep serving.

    Deleting a participant cascades to its rows. The condition is checked again once a row is
    locked, so that a concurrent first request saves its enrolment. No token hash is kept: a device
    that returns later gets 401 and keeps its queue; after 410 it would delete unsent records.
    """
    now = clock.now()
    unused = never_used(now - unused_for)
    if dry_run:
        async with database.read() as db:
            people = select(func.count()).select_from(Participant).where(unused)
            tokens = select(func.count()).select_from(ErasedToken).where(kept_too_long(now))
            return Purged(
                enrolments=(await db.exec(people)).one(),
                erased_tokens=(await db.exec(tokens)).one(),
            )
    enrolments = 0
    while True:
        some = select(Participant.participant_id).where(unused).limit(BATCH)
        async with job_lock(database, "purge", notify) as db:
            ids = list(await db.exec(some))
            chosen = col(Participant.participant_id).in_(ids)
            statement = delete(Participant).where(chosen, unused)
            result = await db.exec(statement, execution_options=UNSYNCED)
            enrolments += deleted(result)
        if len(ids) < BATCH:
            break
    async with job_lock(database, "purge", notify) as db:
        statement = delete(ErasedToken).where(kept_too_long(now))
        result = await db.exec(statement, execution_options=UNSYNCED)
    return Purged(enrolments, deleted(result))


def deleted(result: object) -> int:
    """Return how many rows a statement deleted."""
    return result.rowcount if isinstance(result, CursorResult) else 0
