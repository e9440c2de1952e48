"""Detects and supports connection poolers in front of PostgreSQL, such as PgBouncer.

In transaction mode, consecutive transactions may run on different connections of the database.
Statements prepared on one are unknown on the other, or belong to another client. So behind a pooler
no statement stays prepared: each is parsed and planned again, which takes about 0.1 ms.
"""

from typing import Any

from asyncpg import Connection
from sqlalchemy import Dialect, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

NOTHING_PREPARED = {
    "prepared_statement_cache_size": 0,
    # An unnamed statement is prepared and run in one step, and leaves nothing behind.
    "prepared_statement_name_func": lambda: "",
}


async def is_pooled(connection: Connection) -> bool:
    """Return whether there is a pooler: it invents the server's process id."""
    async with connection.transaction():
        process = await connection.fetchval("SELECT pg_backend_pid()")
    return bool(process != connection.get_server_pid())


def get_along_with_poolers(engine: AsyncEngine) -> None:
    """Let an engine check each new connection for a pooler, until one is detected."""
    pooled = False

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(
        dialect: Dialect, _: ConnectionPoolEntry, arguments: Any, parameters: dict[str, Any]
    ) -> Any:
        nonlocal pooled
        # The driver's own cache would name statements too; with SQLAlchemy's it is useless.
        parameters["statement_cache_size"] = 0
        if not pooled:
            connection = dialect.connect(*arguments, **parameters)
            try:
                pooled = connection.run_async(is_pooled)
            except BaseException:
                # Cancelled, for example: nothing else refers to the connection.
                dialect.do_terminate(connection)
                raise
            if not pooled:
                return connection
            connection.close()
        return dialect.connect(*arguments, **parameters | NOTHING_PREPARED)
