"""`footing publish`: closes every period that is due."""

import sys
import uuid
from typing import Annotated

import typer
from sqlalchemy import delete
from sqlmodel.ext.asyncio.session import AsyncSession

from api.commands.console import PATIENT_SECONDS, opened, read_settings, run, say
from api.content.service import active_hash, load_release
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.migrations import require_head
from api.privacy.registry import REGISTRY
from api.publications.accounting import Accountant
from api.publications.keys import keys_of
from api.publications.log import PublicationLog
from api.publications.noise import OpenDpNoise
from api.publications.periods import Period
from api.publications.policy import read_plan
from api.publications.publishing import Publisher
from api.publications.restoring import Mended, adopt, put_right

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def erase_again(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Erase somebody whom a restored backup brought back."""
    for personal in REGISTRY:
        await db.execute(
            delete(personal.table).where(personal.table.c.participant_id == participant_id)
        )


async def mend(settings: Settings, database: Database) -> Mended:
    """Put right what a restored backup has forgotten, and say so."""
    log = PublicationLog(settings.publication_log)
    log.require_writable()
    plan = read_plan(settings.seed_folder, settings.aggregates_profile)
    today = SystemClock().now().date()
    mended = await put_right(database, log, erase_again, today, plan.grace_days)
    if mended.log_was_cut_off:
        say("The last line of the publication log was cut off while being written and is left out.")
    if mended.erased_again:
        say(f"Erased again after a restore: {mended.erased_again} participants")
    for name in mended.not_released:
        say(f"Closed before a restore, its cells are lost and not drawn again: {name}")
    return mended


async def publisher_of(settings: Settings, database: Database) -> Publisher:
    """Check the plan and gather what it takes to publish."""
    plan = read_plan(settings.seed_folder, settings.aggregates_profile)
    Accountant().check(plan)
    await require_head(database)
    async with database.read() as db:
        name = await active_hash(db)
        if name is None:
            message = "There is no content in the database yet. Run: footing seed"
            raise NotReady(message)
        catalogue = (await load_release(db, name)).catalogue
    keys = keys_of(catalogue, settings.regions, plan)
    log = PublicationLog(settings.publication_log)
    return Publisher(database, plan, keys, OpenDpNoise(), log, SystemClock(), say)


async def close_due(publisher: Publisher) -> list[Period]:
    """Close every period that is due, one transaction each; return those closed here."""
    due = await publisher.due()
    closed = []
    with typer.progressbar(length=len(due), label="Publishing", file=sys.stderr) as bar:
        async for period, here in publisher.close(due):
            bar.update(1)
            if here:
                closed.append(period)
    return closed


async def publish_due(settings: Settings, adopted: uuid.UUID | None = None) -> None:
    """Close every period that is due, and say which."""
    async with opened(settings, patient=True) as database:
        publisher = await publisher_of(settings, database)
        if adopted is not None:
            await adopt(database, publisher.log, adopted)
        mended = await mend(settings, database)
        if mended.log_is_not_ours:
            raise NotReady(mended.log_is_not_ours)
        closed = await close_due(publisher)
    for period in closed:
        typer.echo(f"Closed {period.kind} {period.starts_on} to {period.ends_on}")
    if not closed:
        typer.echo("No period is due.")


@app.command()
def publish(
    adopt_log: Annotated[
        uuid.UUID | None,
        typer.Option(
            metavar="INSTALLATION",
            help="Take the publication log for the one of this installation, though it knows "
            "nothing of it.",
        ),
    ] = None,
) -> None:
    """Close every period that is due: its figures with noise, once and for good."""
    settings = read_settings()
    patient = {"database_timeout_seconds": PATIENT_SECONDS}
    settings = settings.model_copy(update=patient)
    set_up_logging(settings)
    run(publish_due(settings, adopt_log))
