"""The command `footing`: everything that people run."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError

from api.content import checks as content_checks
from api.content import service
from api.content.catalogue import Catalogue
from api.content.loading import SeedFault, SeedInvalid, load_valid
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.main import create_app
from api.migrations import migrate as bring_to_head
from api.migrations import require_head
from api.triage import checks as triage_checks

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The open backend for apps that help people with back pain through their feet.",
)
Result = TypeVar("Result")
SeedFolder = Annotated[
    Path | None,
    typer.Option("--folder", help="The seed folder; FOOTING_SEED_FOLDER by default."),
]


def fail(message: str) -> typer.Exit:
    """Say what is wrong on standard error."""
    typer.echo(message, err=True)
    return typer.Exit(1)


def read_settings() -> Settings:
    """Read the settings, or say which one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "\n".join(
            f"FOOTING_{'_'.join(map(str, found['loc'])).upper()}: {found['msg']}"
            for found in error.errors(include_input=False)
        )
        raise fail(faults) from None
    except SettingsError as error:
        raise fail(f'{error}: a list is written as JSON, like ["es", "en"]') from None


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, or say which one can't be opened and why."""
    database = Database(settings)
    try:
        try:
            async with database.reader.connect():
                pass
        except (DBAPIError, OSError, TypeError, asyncpg.PostgresError) as error:
            url = make_url(settings.database_url)
            # Without its user, password and query, which can hold a password too.
            place = URL.create(url.get_backend_name(), None, None, url.host, url.port, url.database)
            reason = str(getattr(error, "orig", error)) or "no answer in time"
            message = f"Can't open the database {place}: {reason}"
            raise NotReady(message) from error
        yield database
    finally:
        await database.close()


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Do it, or say in one line why it can't be done yet."""
    try:
        return asyncio.run(work)
    except NotReady as not_ready:
        raise fail(str(not_ready)) from None


def validated(folder: Path) -> tuple[Catalogue, list[SeedFault]]:
    """Read and check the seed folder."""
    today = SystemClock().now().date()
    every = (*content_checks.ALL, content_checks.check_reviews(today), *triage_checks.ALL)
    return load_valid(folder, every)


@app.command()
def check(folder: SeedFolder = None) -> None:
    """Explain every fault in the seed folder, by file and JSON Pointer."""
    try:
        catalogue, overdue = validated(folder or read_settings().seed_folder)
    except SeedInvalid as invalid:
        raise fail(f"{invalid}\n{len(invalid.faults)} faults.") from None
    if overdue:
        raise fail("\n".join(map(str, overdue)))
    counts = content_checks.summary(catalogue)
    typer.echo(", ".join(f"{count} in {name}" for name, count in counts.items()))
    typer.echo("No faults.")


@app.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> None:
        async with opened(settings) as database:
            await bring_to_head(database)

    run(work())
    typer.echo("The database is at the newest migration.")


@app.command()
def seed(folder: SeedFolder = None) -> None:
    """Store the seed folder as a release and serve it; twice changes nothing."""
    settings = read_settings()
    set_up_logging(settings)
    try:
        catalogue, overdue = validated(folder or settings.seed_folder)
    except SeedInvalid as invalid:
        message = f"{invalid}\n{len(invalid.faults)} faults; nothing was changed."
        raise fail(message) from None
    for fault in overdue:
        typer.echo(f"Overdue: {fault}", err=True)

    async def work() -> tuple[str, bool]:
        async with opened(settings) as database:
            await require_head(database)
            async with database.write() as db:
                release, changed = await service.seed(db, catalogue, SystemClock())
            return release.hash, changed

    name, changed = run(work())
    typer.echo(f"{'Activated' if changed else 'Already active:'} release {name}")


async def require_ready(settings: Settings) -> None:
    """Refuse to serve what can't be served, before a server starts."""
    async with opened(settings) as database:
        await require_head(database)
        async with database.read() as db:
            if await service.active_hash(db) is None:
                message = "There is no content in the database yet. Run: footing seed"
                raise NotReady(message)


def serving_app() -> object:
    """Make the app in a worker process."""
    settings = Settings()
    set_up_logging(settings)
    return create_app(settings)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1, max=64)] = 1,
) -> None:
    """Serve the API."""
    settings = read_settings()
    set_up_logging(settings)
    run(require_ready(settings))
    uvicorn.run(
        "api.cli:serving_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=20,
    )


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    document = create_app(read_settings()).openapi()
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    app()
