"""Erases enrolments that nobody ever used, and what is kept of erased tokens for too long."""

import datetime
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.engine import CursorResult

from api.core.clock import Clock
from api.core.db import Database
from api.core.turns import Say, in_turn, quiet
from api.participants.models import ERASED_TOKENS, PARTICIPANTS
from api.participants.service import kept_too_long

# Of one transaction: short enough that nobody waits for it.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Purged:
    """How much was erased, or would be."""

    enrolments: int
    erased_tokens: int


def never_used(before: datetime.datetime) -> ColumnElement[bool]:
    """Make the condition that an enrolment was made before an instant and no call came after it.

    Whoever stored, changed or only read something has called. That nothing changed since is asked
    beside it: no fault in the one may cost anybody their records.
    """
    return and_(
        PARTICIPANTS.c.used.is_(False),
        PARTICIPANTS.c.last_change == 0,
        PARTICIPANTS.c.enrolled_at < before,
    )


async def purge(
    database: Database,
    clock: Clock,
    unused_for: datetime.timedelta,
    *,
    dry_run: bool = False,
    say: Say = quiet,
) -> Purged:
    """Erase in small transactions; a server may go on serving beside it.

    Deleting a participant takes what hangs on it along. The condition is checked again for each row
    once it is locked, so that a first call in the same moment saves its enrolment. No hash of the
    token stays: a phone that turns up later is told 401 and keeps its queue, where 410 would have
    it delete what was never sent.
    """
    now = clock.now()
    unused = never_used(now - unused_for)
    if dry_run:
        async with database.read() as db:
            people = select(func.count()).select_from(PARTICIPANTS).where(unused)
            tokens = select(func.count()).select_from(ERASED_TOKENS).where(kept_too_long(now))
            return Purged(
                enrolments=(await db.execute(people)).scalar_one(),
                erased_tokens=(await db.execute(tokens)).scalar_one(),
            )
    enrolments = 0
    while True:
        some = select(PARTICIPANTS.c.participant_id).where(unused).limit(BATCH)
        async with in_turn(database, "purge", say) as db:
            ids = list((await db.execute(some)).scalars())
            chosen = PARTICIPANTS.c.participant_id.in_(ids)
            result = await db.execute(delete(PARTICIPANTS).where(chosen, unused))
            enrolments += deleted(result)
        if len(ids) < BATCH:
            break
    async with in_turn(database, "purge", say) as db:
        result = await db.execute(delete(ERASED_TOKENS).where(kept_too_long(now)))
    return Purged(enrolments, deleted(result))


def deleted(result: object) -> int:
    """Return how many rows a statement deleted."""
    return result.rowcount if isinstance(result, CursorResult) else 0
