"""What `footing check --operations` looks at: all that a restore or a publication will need."""

import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.service import active_hash
from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.migrations import require_head
from api.privacy.restoring import compare_with_log
from api.publications import periods
from api.publications.models import Publication
from api.publications.policy import read_policy
from api.publications.reading import first_day

# Weeks are due on Mondays, and a weekly timer has published them a week later.
OVERDUE_DAYS = 8


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    text: str
    is_fault: bool = False


async def findings(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[Finding]:
    """Look at everything, change nothing, and yield what was found."""
    try:
        await require_head(database)
    except NotReady as not_ready:
        yield Finding(str(not_ready), is_fault=True)
        return
    yield Finding("The database can be read and is at the newest migration.")
    async with database.read() as db:
        release = await active_hash(db)
    yield (
        Finding("There is no content in the database yet. Run: footing seed", is_fault=True)
        if release is None
        else Finding(f"Release {release[:12]} is active.")
    )
    async for finding in _of_the_log(settings, database, clock):
        yield finding
    async with database.read() as db:
        yield await _due(db, settings, clock.now().date())


async def _of_the_log(
    settings: Settings, database: Database, clock: Clock
) -> AsyncIterator[Finding]:
    try:
        missing = await compare_with_log(settings, database, clock)
    except NotReady as not_ready:
        yield Finding(str(not_ready), is_fault=True)
        return
    if missing.log_is_not_ours:
        yield Finding(missing.log_is_not_ours, is_fault=True)
        return
    yield Finding(f"The publication log {settings.publication_log} can be read and written.")
    if missing.log_was_cut_off:
        yield Finding("Its last line was cut off while being written, and is left out.")
    if missing.closed or missing.erased:
        text = (
            f"The log is ahead of the database, as after a restore: {len(missing.erased)} "
            f"participants to erase again, {len(missing.closed)} periods that are lost. "
            "`footing serve` and `footing publish` apply this when they start."
        )
        yield Finding(text, is_fault=True)


async def _due(db: AsyncSession, settings: Settings, today: datetime.date) -> Finding:
    policy = read_policy(settings.seed_folder, settings.aggregates_profile)
    first = await first_day(db)
    closed = set(await db.exec(select(Publication.id)))
    late = today - datetime.timedelta(days=OVERDUE_DAYS)
    overdue = [
        period.id
        for kind in policy.periods
        for period in periods.due(kind.kind, kind.days, first, policy.grace_days, late)
        if period.id not in closed
    ]
    if overdue:
        text = f"Due for more than {OVERDUE_DAYS} days: {', '.join(overdue)}. Run: footing publish"
        return Finding(text, is_fault=True)
    return Finding("No publication is overdue.")
