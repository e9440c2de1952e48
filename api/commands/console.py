"""What all commands share: settings, the database, messages and exit codes."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import asyncpg
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError

from api.core.config import Settings
from api.core.db import Database, is_outage
from api.core.errors import Busy, NotReady
from api.http.problems import pointer

# "Temporary failure" in sysexits.h: the same command may work later.
LATER = 75
# How long an operator's commands wait for the database: large tables take time.
PATIENT_SECONDS = 60.0
Result = TypeVar("Result")


def notify(message: str) -> None:
    """Print a message that is not a result to standard error."""
    typer.echo(message, err=True)


def fail(message: str, code: int = 1) -> typer.Exit:
    """Print an error to standard error; return the exception that ends the command."""
    notify(message)
    return typer.Exit(code)


def read_settings() -> Settings:
    """Read the settings, or exit and name the invalid one."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "\n".join(
            f"FOOTING_{str(name).upper()}{pointer(place)}: {found['msg']}"
            for found in error.errors(include_input=False)
            for name, *place in [found["loc"]]
        )
        raise fail(faults) from None
    except SettingsError as error:
        raise fail(f'{error}: a list is written as JSON, like ["es", "en"]') from None


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, patient: bool = False) -> AsyncIterator[Database]:
    """Open the database, or raise NotReady with the reason."""
    database = Database(settings, patient=patient)
    try:
        try:
            async with database.reader.connect():
                pass
        except (DBAPIError, OSError, asyncpg.PostgresError) as error:
            url = make_url(settings.database_url)
            # Without its user, password and query, which can hold a password too.
            place = URL.create(url.get_backend_name(), None, None, url.host, url.port, url.database)
            reason = str(getattr(error, "orig", error)) or "no response in time"
            message = f"Cannot open the database {place}: {reason}"
            if database.dialect == "sqlite":
                # aiosqlite leaves a thread behind that would trip over the end of the event loop.
                for thread in set(threading.enumerate()) - {threading.current_thread()}:
                    thread.join(timeout=1)
            raise NotReady(message) from error
        yield database
    finally:
        await database.close()


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine; exit with a message of one line if it cannot be done now."""
    try:
        return asyncio.run(work)
    except Busy as busy:
        raise fail(str(busy), LATER) from None
    except NotReady as not_ready:
        raise fail(str(not_ready)) from None
    except Exception as error:
        if not is_outage(error):
            raise
        message = (
            "The database is unavailable or busy. Completed work is kept; run the command again."
        )
        raise fail(message, LATER) from None
