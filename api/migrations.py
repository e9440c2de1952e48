"""Brings a database to the newest migration, and tells whether it is there."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from api.core.config import MIGRATIONS_FOLDER
from api.core.db import Database
from api.core.errors import NotReady


def config(connection: Connection | None = None) -> Config:
    """Make alembic's configuration; it needs no file, so that it works from a wheel."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    if connection is not None:
        made.attributes["connection"] = connection
    return made


def head() -> str | None:
    """Name the newest migration."""
    return ScriptDirectory.from_config(config()).get_current_head()


def current(connection: Connection) -> str | None:
    """Name the migration that the database is at; refuse one that this version does not know."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if found is not None and found not in known:
        message = (
            f"The database is at migration {found}, which this version does not know. "
            "Install the version of Footing that migrated it, or a newer one."
        )
        raise NotReady(message)
    return found


async def migrate(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, the newest by default."""

    def upgrade(connection: Connection) -> None:
        current(connection)
        command.upgrade(config(connection), revision)

    async with database.writer.begin() as connection:
        await connection.run_sync(upgrade)


async def require_head(database: Database) -> None:
    """Refuse a database that is not at the newest migration."""
    async with database.reader.connect() as connection:
        found = await connection.run_sync(current)
    if found != head():
        state = "has not been migrated" if found is None else f"is at migration {found}"
        message = f"The database {state}; this version needs {head()}. Run: footing migrate"
        raise NotReady(message)
