"""`footing publish`: closes every period that is due."""

import sys
import uuid
from typing import Annotated

import typer

from api.commands.console import PATIENT_SECONDS, notify, opened, read_settings, run
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.migrations import require_head
from api.privacy.restoring import restore_with_log
from api.publications.periods import Period
from api.publications.publishing import Publisher
from api.publications.restoring import adopt

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    """Close every period that is due, and print which."""
    async with opened(settings, patient=True) as database:
        await require_head(database)
        clock = SystemClock()
        publisher = await Publisher.open(settings, database, clock, notify)
        if adopted is not None:
            await adopt(database, publisher.log, adopted)
        found = await restore_with_log(settings, database, clock, notify)
        if found.log_is_not_ours:
            raise NotReady(found.log_is_not_ours)
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
    """Close every period that is due: its figures with noise, once and permanently."""
    settings = read_settings()
    patient = {"database_timeout_seconds": PATIENT_SECONDS}
    settings = settings.model_copy(update=patient)
    set_up_logging(settings)
    run(publish_due(settings, adopt_log))
