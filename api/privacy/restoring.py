"""After a restore: participants who were erased since the backup are erased again."""

import uuid

from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database
from api.core.locks import Notify
from api.privacy.registry import REGISTRY
from api.publications.log import PublicationLog
from api.publications.policy import read_policy
from api.publications.restoring import RestoredFromLog, restore_from_log


async def erase_again(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Erase a participant that a restored backup has brought back."""
    for personal in REGISTRY:
        await db.exec(personal.delete(participant_id))


async def restore_with_log(
    settings: Settings, database: Database, clock: Clock, notify: Notify
) -> RestoredFromLog:
    """Restore what the publication log has and the database lacks, and report it."""
    log = PublicationLog(settings.publication_log)
    log.require_writable()
    policy = read_policy(settings.seed_folder, settings.aggregates_profile)
    found = await restore_from_log(
        database, log, erase_again, clock.now().date(), policy.grace_days
    )
    if found.log_was_cut_off:
        notify(
            "The last line of the publication log was cut off while being written and is left out."
        )
    if found.erased_again:
        notify(f"Erased again after a restore: {found.erased_again} participants")
    for name in found.not_released:
        notify(f"Closed before a restore, its cells are lost and not drawn again: {name}")
    return found
