"""Migrates the database, and checks that it is migrated."""

import functools

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from api.core.config import MIGRATIONS_FOLDER
from api.core.db import Database
from api.core.errors import NotReady
from api.core.locks import Notify, Patience, Waiting, is_lock_timeout, job_lock, quiet

# Others may have to wait this long behind a migration that itself waits for a lock.
LOCK_TIMEOUT_MILLISECONDS = 2000
MIGRATION_PATIENCE = Patience(pause_seconds=2.0)


def config(connection: Connection | None = None) -> Config:
    """Make alembic's configuration without a file, so that it works from a wheel."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    if connection is not None:
        made.attributes["connection"] = connection
    return made


@functools.cache
def scripts() -> ScriptDirectory:
    """Load the migrations, once: alembic compiles each of them."""
    return ScriptDirectory.from_config(config())


def head() -> str | None:
    """Return the newest migration."""
    return scripts().get_current_head()


def current(connection: Connection) -> str | None:
    """Return the database's migration; raise NotReady if this version does not know it."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts().walk_revisions()}
    if found is not None and found not in known:
        message = (
            f"The database is at migration {found}, which this version does not know. "
            "Install the version of Footing that migrated it, or a newer one."
        )
        raise NotReady(message)
    return found


def next_step(connection: Connection) -> bool:
    """Run the next migration; return whether there was one."""
    found = current(connection)
    ahead = list(scripts().iterate_revisions("head", found or "base"))
    if not ahead:
        return False
    command.upgrade(config(connection), ahead[-1].revision)
    return True


async def migrate(
    database: Database, notify: Notify = quiet, patience: Patience = MIGRATION_PATIENCE
) -> None:
    """Run all missing migrations, each in its own transaction.

    A migration may take any time. It waits only briefly for a table that is in use, since every
    later query would queue behind it; then it lets them pass and tries again. Raises Busy if that
    takes too long.
    """
    waiting = Waiting(patience, notify)
    further = True
    while further:
        try:
            async with job_lock(database, "migrate", notify, patience) as db:
                connection = await db.connection()
                if database.dialect == "postgresql":
                    limit = text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}")
                    await connection.execute(limit)
                    # A role or a host may have limits of its own.
                    await connection.execute(text("SET LOCAL statement_timeout = 0"))
                further = await connection.run_sync(next_step)
        except DBAPIError as error:
            if not is_lock_timeout(error):
                raise
            await waiting.go_on("A table is in use by a longer transaction")


async def require_head(database: Database) -> None:
    """Raise NotReady unless the database is at the newest migration."""
    async with database.reader.connect() as connection:
        found = await connection.run_sync(current)
    if found != head():
        state = "has not been migrated" if found is None else f"is at migration {found}"
        message = f"The database {state}; this version needs {head()}. Run: footing migrate"
        raise NotReady(message)
