"""`footing backup`: a copy of a SQLite database, made while the server runs."""

import datetime
import sys
from pathlib import Path
from typing import Annotated

import typer

from api.commands.console import fail, read_settings
from api.core import backups
from api.core.errors import NotReady

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The new file; it must not exist yet.")],
) -> None:
    """Copy the SQLite database to a file and check the copy; a server may run meanwhile."""
    settings = read_settings()
    try:
        source = backups.file_of(settings.database_url)
        with typer.progressbar(length=1000, label="Copying", file=sys.stderr) as bar:
            done = 0

            def progress(left: int, pages: int) -> None:
                nonlocal done
                now = 1000 - 1000 * left // max(pages, 1)
                bar.update(max(now - done, 0))
                done = max(now, done)

            backups.copy(source, file, progress)
    except NotReady as not_ready:
        raise fail(str(not_ready)) from None
    now = datetime.datetime.now(datetime.UTC)
    size = file.stat().st_size / 1e6
    typer.echo(f"Copied {source} to {file} ({size:.1f} MB, {now:%Y-%m-%d %H:%M} UTC) and checked.")
    typer.echo(f"The publication log is backed up separately: {settings.publication_log}")
