"""After a restore: participants who were erased since the backup are erased again."""

import uuid

from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database
from api.core.locks import Notify
from api.privacy.registry import REGISTRY
from api.publications import restoring
from api.publications.log import PublicationLog
from api.publications.policy import read_policy
from api.publications.restoring import LogDifference


async def erase_again(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Erase a participant that a restored backup has brought back."""
    for personal in REGISTRY:
        await db.exec(personal.delete(participant_id))


def _log_of(settings: Settings) -> tuple[PublicationLog, int]:
    log = PublicationLog(settings.publication_log)
    log.require_writable()
    return log, read_policy(settings.seed_folder, settings.aggregates_profile).grace_days


async def compare_with_log(settings: Settings, database: Database, clock: Clock) -> LogDifference:
    """Return what the publication log has and the database lacks; change nothing."""
    log, grace_days = _log_of(settings)
    return await restoring.compare_with_log(database, log, clock.now().date(), grace_days)


async def restore_with_log(
    settings: Settings, database: Database, clock: Clock, notify: Notify
) -> LogDifference:
    """Restore what the publication log has and the database lacks, and report it."""
    log, grace_days = _log_of(settings)
    today = clock.now().date()
    found = await restoring.restore_from_log(database, log, erase_again, today, grace_days)
    if found.log_was_cut_off:
        notify(
            "The last line of the publication log was cut off while being written and is left out."
        )
    if found.erased:
        notify(f"Erased again after a restore: {len(found.erased)} participants")
    for publication in found.closed:
        name = publication.id
        notify(f"Closed before a restore, its cells are lost and not drawn again: {name}")
    return found
