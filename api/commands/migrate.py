"""`footing migrate`: migrates the database to the newest schema."""

import typer

from api.commands.console import notify, opened, read_settings, run
from api.core.logging import set_up_logging
from api.migrations import migrate as bring_to_head

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> None:
        async with opened(settings, patient=True) as database:
            await bring_to_head(database, notify)

    run(work())
    typer.echo("The database is at the newest migration.")
