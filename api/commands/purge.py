"""`footing purge`: erases unused enrolments and expired token hashes."""

import datetime
from typing import Annotated

import typer

from api.commands.console import notify, opened, read_settings, run
from api.core.clock import SystemClock
from api.core.logging import set_up_logging
from api.migrations import require_head
from api.privacy.purge import Purged
from api.privacy.purge import purge as erase_unused

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def purge(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; erase nothing.")] = False,
) -> None:
    """Erase enrolments that were never used, and hashes of tokens erased long ago."""
    settings = read_settings()
    set_up_logging(settings)
    days = settings.unused_enrolment_days

    async def work() -> Purged:
        async with opened(settings, patient=True) as database:
            await require_head(database)
            unused_for = datetime.timedelta(days=days)
            return await erase_unused(
                database, SystemClock(), unused_for, dry_run=dry_run, notify=notify
            )

    purged = run(work())
    would = "Would erase" if dry_run else "Erased"
    typer.echo(
        f"{would} {purged.enrolments} enrolments older than {days} days that were never used, "
        f"and {purged.erased_tokens} hashes of tokens erased long ago."
    )
