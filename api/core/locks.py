"""Locks for jobs that only one process may do at a time; others wait, with a message."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import Database
from api.core.errors import Busy

Notify = Callable[[str], None]


def quiet(_: str) -> None:
    """Notify no one."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a lock: in total, and between two attempts."""

    seconds: float = 600.0
    pause_seconds: float = 0.5


class Waiting:
    """One wait for a lock: announced once, and limited."""

    def __init__(self, patience: Patience, notify: Notify) -> None:
        self._patience = patience
        self._notify = notify
        self._give_up = asyncio.get_running_loop().time() + patience.seconds
        self._said = False

    async def go_on(self, why: str) -> None:
        """Wait until the next attempt, or raise Busy after too long."""
        if asyncio.get_running_loop().time() > self._give_up:
            message = f"{why}; given up after {self._patience.seconds:.0f} seconds. Run it again."
            raise Busy(message)
        if not self._said:
            self._notify(f"{why}; waiting.")
            self._said = True
        await asyncio.sleep(self._patience.pause_seconds)


def is_lock_timeout(error: DBAPIError) -> bool:
    """Return whether a statement failed because another transaction holds a lock."""
    # Lock not available, and a deadlock.
    if getattr(error.orig, "sqlstate", None) in {"55P03", "40P01"}:
        return True
    return "database is locked" in str(error.orig)


class _TakenError(Exception):
    """Another process holds the lock."""


async def _take(db: AsyncSession, job: str) -> None:
    # On SQLite this is enough: transactions that write begin with a lock.
    await db.connection()
    if db.get_bind().dialect.name == "postgresql":
        # A lock of the transaction, not of the session, which a pooler would share with others.
        key = func.hashtextextended(f"footing {job}", 0)
        if not (await db.exec(select(func.pg_try_advisory_xact_lock(key)))).one():
            raise _TakenError


@contextlib.asynccontextmanager
async def job_lock(
    database: Database, job: str, notify: Notify = quiet, patience: Patience | None = None
) -> AsyncIterator[AsyncSession]:
    """Open a transaction that writes, while no other process has one open for the same job.

    Waits for other processes, with one message; raises Busy if they take too long.
    """
    waiting = Waiting(patience or Patience(), notify)
    while True:
        try:
            async with contextlib.AsyncExitStack() as stack:
                db = await stack.enter_async_context(database.write())
                await _take(db, job)
                held = stack.pop_all()
                break
        except _TakenError:
            await waiting.go_on(f"Another footing {job} is at work")
        except DBAPIError as error:
            if not is_lock_timeout(error):
                raise
            await waiting.go_on("Another process is writing to the database")
    async with held:
        yield db
