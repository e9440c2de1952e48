"""`footing serve`: the server."""

import gc
import socket
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from api.commands.console import fail, notify, opened, read_settings, run
from api.commands.migrate import migrate
from api.commands.seed import seed
from api.content import service
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.main import create_app
from api.migrations import require_head
from api.privacy.restoring import restore_with_log

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def built(settings: Settings) -> FastAPI:
    """Make the app, or exit with a message of one line."""
    try:
        return create_app(settings)
    except NotReady as not_ready:
        raise fail(str(not_ready)) from None


def require_free(host: str, port: int) -> None:
    """Reject an address that cannot be bound, before a server starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        # Python repeats the address after the reason.
        reason = str(error.strerror).partition(" (")[0]
        raise fail(f"Cannot listen on {host}, port {port}: {reason}") from None


async def require_ready(settings: Settings) -> None:
    """Check the database and the log before a server starts."""
    async with opened(settings) as database:
        await require_head(database)
        async with database.read() as db:
            if await service.active_hash(db) is None:
                message = "There is no content in the database yet. Run: footing seed"
                raise NotReady(message)
        found = await restore_with_log(settings, database, SystemClock(), notify)
        if found.log_is_not_ours:
            notify(found.log_is_not_ours)


def serving_app() -> object:
    """Make the app in a worker process."""
    settings = Settings()
    set_up_logging(settings)
    app = create_app(settings)
    # What was made by now stays: to look through it again would hold up all requests.
    gc.freeze()
    return app


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1, max=64)] = 1,
    *,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Run `migrate` and `seed` first.")
    ] = False,
) -> None:
    """Serve the API."""
    if prepare:
        migrate()
        seed()
    settings = read_settings()
    set_up_logging(settings)
    built(settings)
    require_free(host, port)
    run(require_ready(settings))
    uvicorn.run(
        "api.commands.serve:serving_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        # By name: unpickling the class would import the app before a worker responds to its parent.
        http="api.http.protocol:LimitedProtocol",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=20,
    )
