"""Checks whether the database accepts writes, for `GET /readyz`."""

import sqlite3
import time
from typing import Any

import structlog
from sqlalchemy import text

from api.core.db import Database, is_outage

# Within this time after a successful write, nothing is written again.
VALID_SECONDS = 10.0

log = structlog.get_logger(__name__)


class WriteCheck:
    """Checks by writing as little as possible, and logs only changes of the result.

    With a full disk or a read-only database, queries still succeed.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.valid_until = 0.0
        self.failed_writes = 0
        self.last: str | None = None

    async def reason(self) -> str | None:
        """Return why nothing can be read or written now; None if both are possible."""
        try:
            found = await self._find()
        except Exception as error:
            if not (isinstance(error, sqlite3.OperationalError) or is_outage(error)):
                raise
            found = str(getattr(error, "orig", error)) or type(error).__name__
        if found is not None:
            self.valid_until = 0.0
        if found != self.last:
            if found is None:
                log.info("the database can be written to again")
            else:
                log.warning("cannot write to the database", reason=found)
        self.last = found
        return found

    async def _find(self) -> str | None:
        is_sqlite = self.database.dialect == "sqlite"
        failed = self.database.failed_writes
        due = time.monotonic() >= self.valid_until or failed != self.failed_writes
        query = "SELECT 1 FROM alembic_version" if is_sqlite else "SHOW transaction_read_only"
        async with self.database.read() as db:
            connection = await db.connection()
            if (await connection.execute(text(query))).scalar() == "on":
                return "the database is read-only"
            if due and not is_sqlite:
                # Only a transaction with an id writes to the log when it commits.
                await connection.execute(text("SELECT pg_current_xact_id()"))
        if due and is_sqlite:
            await self._write_to_sqlite()
        if due:
            self.failed_writes = failed
            self.valid_until = time.monotonic() + VALID_SECONDS
        return None

    async def _write_to_sqlite(self) -> None:
        """Overwrite a number with itself: one page, on the same disk as everything else."""
        if self.database.writing:
            return  # and a write that fails brings the next check forward
        async with self.database.writer.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            (waits,) = await (await driver.execute("PRAGMA busy_timeout")).fetchone()
            await driver.execute("PRAGMA busy_timeout=0")
            try:
                (version,) = await (await driver.execute("PRAGMA user_version")).fetchone()
                await driver.execute(f"PRAGMA user_version={version}")
            except sqlite3.OperationalError as error:
                # Another process is writing, so writing is possible.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
            finally:
                await driver.execute(f"PRAGMA busy_timeout={waits}")
