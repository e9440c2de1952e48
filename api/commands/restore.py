"""`footing restore`: a backup in the place of a SQLite database, with later erasures applied."""

import datetime
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from api.commands.console import fail, notify, opened, read_settings, run
from api.core import backups
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.migrations import migrate
from api.privacy.restoring import compare_with_log, restore_with_log
from api.publications.restoring import LogDifference

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def brought_up_to_date(settings: Settings, *, write: bool) -> LogDifference:
    """Migrate a copy, and apply what the publication log knows, or only tell what that would be."""
    async with opened(settings, patient=True) as database:
        await migrate(database, notify)
        if write:
            return await restore_with_log(settings, database, SystemClock(), notify)
        return await compare_with_log(settings, database, SystemClock())


def describe(missing: LogDifference, *, done: bool) -> str:
    """Say what the backup lacks."""
    erased, marked = ("Erased", "Marked") if done else ("Would erase", "Would mark")
    return f"""\
{erased} again: {len(missing.erased)} participants who erased their data after the backup.
{marked} as not released: {len(missing.closed)} periods that were published after the backup.
{missing.log_is_not_ours or ""}""".rstrip()


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup made by `footing backup`.")],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Try everything on a copy, and change nothing.")
    ] = False,
) -> None:
    """Put a backup in the place of the SQLite database; the server must not run.

    It is migrated first, and what the publication log says happened since is applied to it. The
    present database is kept beside it.
    """
    settings = read_settings()
    set_up_logging(settings)
    copy: Path | None = None
    try:
        target = backups.file_of(settings.database_url)
        backups.check(file)
        if check:
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as folder:
                trial = Path(folder) / target.name
                found = _prepared(settings, file, trial, write=False)
            typer.echo(f"{file} can be restored.\n{describe(found, done=False)}")
            return
        copy = backups.beside(target, "restoring")
        found = _prepared(settings, file, copy, write=True)
        now = datetime.datetime.now(datetime.UTC)
        kept = backups.beside(target, f"replaced-{now:%Y%m%dT%H%M%SZ}")
        existed = target.exists()
        backups.replace(target, copy, kept)
    except NotReady as not_ready:
        raise fail(str(not_ready)) from None
    finally:
        if copy is not None:
            for ending in ("", "-wal", "-shm"):
                copy.with_name(copy.name + ending).unlink(missing_ok=True)
    typer.echo(f"Restored {file} to {target}.\n{describe(found, done=True)}")
    if existed:
        typer.echo(f"The database from before is {kept}: delete it once you no longer need it.")


def _prepared(settings: Settings, file: Path, copy: Path, *, write: bool) -> LogDifference:
    """Copy a backup, and bring the copy up to date."""
    backups.copy(file, copy)
    own = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{copy.resolve()}"})
    found = run(brought_up_to_date(own, write=write))
    # Without a write-ahead log again: it is moved as one file.
    backups.settle(copy)
    return found
