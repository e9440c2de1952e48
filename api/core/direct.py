"""Statements of the busiest requests: compiled once, and run by the driver itself.

SQLAlchemy takes several times as long to run a statement as the database does. A `Direct` keeps
what it is good for, statements that are checked against the models and work on both databases, and
leaves out the rest at run time: there are no result objects, only rows.
"""

import asyncio
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BindParameter, Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

Process = Callable[[Any], Any]
Row = Sequence[Any]
# To those who listen: the parameters are those of one execution.
ONE = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as one database takes it."""

    sql: str
    # In the order of the statement: how each argument comes from the values.
    parameters: Sequence[Callable[[Mapping[str, Any]], Any]]
    # Of the columns that come back; None if none of them has to be converted.
    conversions: Sequence[Process | None] | None

    def arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values as the driver takes them."""
        return tuple([parameter(values) for parameter in self.parameters])

    def rows(self, found: Sequence[Row]) -> Sequence[Row]:
        """Return what the driver found as the models have it."""
        conversions = self.conversions
        if conversions is None:
            return found
        return [
            [
                value if convert is None else convert(value)
                for value, convert in zip(row, conversions, strict=True)
            ]
            for row in found
        ]


class Direct:
    """A statement whose parameters are all single values.

    It is part of the transaction of the session that it is given.
    """

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._compiled: dict[str, Compiled] = {}

    async def rows(self, db: AsyncSession, values: Mapping[str, Any]) -> Sequence[Row]:
        """Run it; return the rows that it returns, if any."""
        if db.in_nested_transaction():
            # The session sets its savepoint only when it uses the connection itself.
            await db.connection()
        connection = connection_of(db)
        sync: Any = connection.sync_connection
        dialect = sync.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self.statement, dialect)
        arguments = compiled.arguments(values)
        return compiled.rows(await _run(connection, sync, compiled.sql, arguments))


def connection_of(db: AsyncSession) -> AsyncConnection:
    """Return the connection of a session that was made by `Database`."""
    bind = db.bind
    if not isinstance(bind, AsyncConnection):
        message = "the session has no connection of its own"
        raise TypeError(message)
    return bind


def _compile(statement: Executable, dialect: Dialect) -> Compiled:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every one can
    conversions = [
        column.type.dialect_impl(dialect).result_processor(dialect, None)
        for column in getattr(statement, "exported_columns", ())
    ]
    return Compiled(
        str(compiled),
        [_parameter(compiled.binds[name], dialect) for name in compiled.positiontup],
        conversions if any(conversions) else None,
    )


def _parameter(bind: BindParameter[Any], dialect: Dialect) -> Callable[[Mapping[str, Any]], Any]:
    name, process = bind.key, bind.type.dialect_impl(dialect).bind_processor(dialect)
    if not bind.required:
        # A constant of the statement.
        constant = bind.effective_value if process is None else process(bind.effective_value)
        return lambda _: constant
    if process is None:
        return operator.itemgetter(name)
    return lambda values: process(values[name])


async def _run(
    connection: AsyncConnection, sync: Any, sql: str, arguments: tuple[Any, ...]
) -> Sequence[Row]:
    pooled = sync.connection
    driver: Any = pooled.driver_connection
    # As SQLAlchemy does, so that listeners that count or trace statements see these too.
    sync.dispatch.before_cursor_execute(sync, driver, sql, arguments, None, ONE)
    rows: Sequence[Row]
    try:
        if sync.dialect.name == "sqlite":
            # A statement that finds its rows by their keys takes less time than a change of
            # threads. What can take long, BEGIN and COMMIT, is left to the driver's thread.
            rows = driver._conn.execute(sql, arguments).fetchall()  # noqa: SLF001  # no public name
        else:
            # The coroutine behind `execute`, which would change to another stack and back.
            cursor: Any = pooled.cursor()
            await cursor._prepare_and_execute(sql, arguments)  # noqa: SLF001  # held by a test
            rows = cursor.fetchall()
    except sync.dialect.loaded_dbapi.Error as error:
        raised = translated(sync, error, sql)
        if raised.connection_invalidated:
            await connection.invalidate(error)
        raise raised from error
    except (asyncio.CancelledError, TimeoutError):
        # The connection is in the middle of something.
        await connection.invalidate()
        raise
    return rows


def translated(connection: Connection, error: Any, sql: str) -> DBAPIError:
    """Return an error of the driver as SQLAlchemy raises it; without the parameters."""
    dialect = connection.dialect
    return cast(
        "DBAPIError",
        DBAPIError.instance(
            sql,
            None,
            error,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=dialect.is_disconnect(error, connection.connection, None),
            dialect=dialect,
        ),
    )
