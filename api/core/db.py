"""The database: engines, transactions and the types that both databases share."""

import asyncio
import datetime
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Table,
    TypeDecorator,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm.attributes import manager_of_class
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import greenlet_spawn
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.config import Settings
from api.core.database_url import for_driver
from api.core.direct import translated
from api.core.pooler import get_along_with_poolers

# Named constraints can be altered and dropped by later migrations, on both databases alike.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


# What a driver raises when the database is unavailable, starting, stopping or locked. Anything else
# is an internal error.
OUTAGES = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    ConnectionError,
    asyncio.TimeoutError,
)
# 25006: read-only, for example after a failover.
AWAY_SQLSTATES = ("08", "25006", "53", "57P", "55P03", "40001", "40P01")

SQLITE_PRAGMAS = {
    "synchronous": "FULL",
    "foreign_keys": "ON",
    # Deleted data is overwritten in the file, also if SQLite was not built to do so.
    "secure_delete": "ON",
}

SWITCH_PAUSE_SECONDS = 0.005

REPEATABLE_READ = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
# The columns of a row that is to be inserted, and such a row with its table.
Values = Mapping[str, object]
NewRow = tuple[type[SQLModel], Values]
Model = TypeVar("Model", bound=SQLModel)
# For updates and deletes: loaded instances are neither edited nor kept up to date.
UNSYNCED = {"synchronize_session": False}


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """An instant, in UTC on both databases (SQLite itself keeps no offset)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime.datetime | None, dialect: Dialect
    ) -> datetime.datetime | None:
        """Reject a naive time: drivers would store it silently."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "cannot store a naive datetime"
            raise ValueError(message)
        value = value.astimezone(datetime.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self, value: datetime.datetime | None, dialect: Dialect
    ) -> datetime.datetime | None:
        """Return an aware time."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return value.replace(tzinfo=datetime.UTC)
        return value.astimezone(datetime.UTC)


class JsonDocument(TypeDecorator[Any]):
    """A JSON document: JSONB on PostgreSQL, text on SQLite."""

    impl = JSON
    cache_ok = True
    should_evaluate_none = True  # JSON's own null, as JSON itself stores it

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database in use."""
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def coerce_compared_value(self, op: OperatorType | None, value: object) -> TypeEngine[Any]:
        """Compare as JSON does: the index into a document is a text or a number."""
        return self.impl_instance.coerce_compared_value(op, value)


class PersonalTable(SQLModel):
    """Base of all tables of a participant's data: one person, one shard.

    Erasing the participant erases the rows.
    """

    participant_id: uuid.UUID = Field(
        primary_key=True, foreign_key="participant.participant_id", ondelete="CASCADE"
    )


def is_outage(error: BaseException) -> bool:
    """Return whether an error is an outage, after which a request can be retried."""
    if isinstance(error, DBAPIError):
        sqlstate = str(getattr(error.orig, "sqlstate", None) or "")
        if sqlstate:
            return sqlstate.startswith(AWAY_SQLSTATES)
        if error.connection_invalidated:
            return True
    if isinstance(error, OperationalError) and "no such" in str(error.orig):
        return False
    return isinstance(error, OUTAGES)


def _json(document: Any) -> str:
    # In a third of the time that `json` takes; the document of a decision is ten kilobytes.
    return to_json(document, inf_nan_mode="constants").decode()


def create_engine(settings: Settings, *, writer: bool, patient: bool = False) -> AsyncEngine:
    """Make an engine whose every connection is set up the same way.

    `patient` is for migrations, whose statements may take any time. Elsewhere a statement without
    a response in time is an outage; otherwise a server that vanished would block until the
    operating system gives up, after a quarter of an hour.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        url, arguments = for_driver(url, settings.database_timeout_seconds)
        engine = create_async_engine(
            url,
            hide_parameters=True,
            json_serializer=_json,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.database_timeout_seconds,
            connect_args={
                **arguments,
                "command_timeout": None if patient else settings.database_timeout_seconds,
            },
        )
        get_along_with_poolers(engine)
        replace_closed_connections(engine)
        return engine
    # SQLite takes one writer at a time. A pool of one connection queues the writers in the
    # process, where waiting is fair; several would wait in busy_timeout, which is not.
    engine = create_async_engine(
        url,
        hide_parameters=True,
        json_serializer=_json,
        pool_size=1 if writer else settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_reset_on_return=None,  # see `reset`
        # Short statements don't change to the connection's thread: see `direct`.
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(settings.database_timeout_seconds * 1000)}")
        switch_to_wal(cursor, settings.database_timeout_seconds)
        for name, value in SQLITE_PRAGMAS.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # In one change of threads: a cursor of SQLAlchemy's would take three.
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.run_async(lambda sqlite: sqlite.execute_fetchall(statement))
        except sqlite3.Error as error:
            raise translated(connection, error, statement) from error

    @event.listens_for(engine.sync_engine, "reset")
    def reset(connection: Any, _: ConnectionPoolEntry, state: PoolResetState) -> None:
        # By default every connection is rolled back, which is a change of threads for nothing.
        if not state.terminate_only and connection.driver_connection.in_transaction:
            connection.rollback()

    statement = "BEGIN IMMEDIATE" if writer else "BEGIN"

    return engine


def replace_closed_connections(engine: AsyncEngine) -> None:
    """Replace connections that the server has closed, for example by a restart.

    The driver has noticed that by then. A check on the server would cost two round trips for each
    request; a connection that is lost unnoticed is an outage, and the client retries.
    """

    @event.listens_for(engine.sync_engine, "checkout")
    def check_out(connection: Any, _: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        if connection.driver_connection.is_closed():
            # The others of the pool are as old: they are replaced when it is their turn.
            raise InvalidatePoolError


def switch_to_wal(cursor: DBAPICursor | sqlite3.Cursor, timeout_seconds: float) -> None:
    """Set the journal mode, which a file keeps; wait for another connection that does the same.

    SQLite refuses one of two that switch a new file at the same moment, and does not wait for
    busy_timeout before it does: each holds the lock that the other would need to be released.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            is_busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(SWITCH_PAUSE_SECONDS)
        else:
            return


class QueueFull(PoolTimeoutError):
    """Too many transactions wait for a connection already."""


class Queue:
    """A bounded number of transactions that have, or wait for, a connection of one pool, in turn.

    Without a bound all of them would wait until they time out. The pool itself would let some go
    before others that wait longer.
    """

    def __init__(self, connections: int, settings: Settings) -> None:
        self.places = connections + settings.database_max_waiting
        self.timeout_seconds = settings.database_timeout_seconds
        self.taken = 0
        self._turns = asyncio.Semaphore(connections)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a connection to be free, or raise QueueFull at once."""
        if self.taken >= self.places:
            raise QueueFull(f"{self.taken} transactions are open or waiting")
        self.taken += 1
        try:
            await self._wait()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self.taken -= 1

    async def _wait(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise PoolTimeoutError(f"{self.taken} transactions are open or waiting") from None


def _begin(engine: Engine) -> Connection:
    connection = engine.connect()
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    return connection


def _commit(connection: Connection) -> None:
    connection.commit()
    connection.close()


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Open a transaction, for a session and for what runs without it (see `direct`).

    As `engine.begin()` does, in two changes of stacks instead of four.
    """
    connection = await greenlet_spawn(_begin, engine.sync_engine)
    try:
        db = AsyncSession(AsyncConnection(engine, connection), expire_on_commit=False)
        yield db
        if db.in_transaction():
            await db.close()
        await greenlet_spawn(_commit, connection)
    except BaseException:
        # Also where the request is cancelled: nothing may stay open.
        await asyncio.shield(asyncio.create_task(greenlet_spawn(connection.close)))
        raise


class Database:
    """The engines of one process: one to write, one to read (the same on PostgreSQL)."""

    def __init__(self, settings: Settings, *, patient: bool = False) -> None:
        self.writer = create_engine(settings, writer=True, patient=patient)
        self.dialect = self.writer.dialect.name
        self.failed_writes = 0
        pool_size = settings.database_pool_size
        if self.dialect == "sqlite":
            self.reader = create_engine(settings, writer=False)
            self.reads = Queue(pool_size, settings)
            self.writes = Queue(1, settings)
        else:
            self.reader = self.writer
            self.reads = self.writes = Queue(pool_size, settings)

    @property
    def writing(self) -> bool:
        """Whether any transaction of this process writes, or waits to write."""
        return self.writes.taken > 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that is committed at the end, or rolled back by an exception."""
        async with self.writes.place():
            try:
                async with _session(self.writer) as db:
                    yield db
            except Exception as error:
                self.failed_writes += is_outage(error)
                raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that only reads."""
        async with self.reads.place(), _session(self.reader) as db:
            yield db

    @asynccontextmanager
    async def write_beside(self, reading: AsyncSession) -> AsyncIterator[AsyncSession]:
        """Write something small during a read: in its transaction, where that one can write.

        Waiting for a second connection while holding the first one could deadlock with other
        requests. If the write fails, the read can continue.
        """
        if self.reader is self.writer:
            async with reading.begin_nested():
                yield reading
            return
        async with self.write() as db:
            yield db

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that reads one state of the database from its first query to its last.

        SQLite always does; PostgreSQL would see what is committed in between.
        """
        async with self.read() as db:
            if self.dialect == "postgresql":
                connection = await db.connection()
                await connection.execute(REPEATABLE_READ)
            yield db

    async def close(self) -> None:
        """Close every connection."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


def table_of(model: type[SQLModel]) -> Table:
    """Return the table of a model, for code that works on any table."""
    return metadata.tables[str(model.__tablename__)]


def as_read(model: type[Model], values: Values) -> Model:
    """Return a row as if it had been read; to construct one takes longer than to insert it."""
    row: Model = manager_of_class(model).new_instance()
    row.__dict__.update(values)
    return row


async def insert_once(db: AsyncSession, model: type[SQLModel], values: Values) -> bool:
    """Insert a row unless its key is taken; return whether it was inserted.

    The database's own uniqueness decides, so that any number of concurrent repeats store one row.
    """
    insert = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    table = table_of(model)
    key = table.primary_key.columns.values()[-1]
    statement = insert(table).values(values).on_conflict_do_nothing().returning(key)
    return (await db.exec(statement)).first() is not None


async def insert_new(db: AsyncSession, model: type[SQLModel], rows: Sequence[Values]) -> None:
    """Insert those of many rows whose keys are not taken."""
    insert = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    if rows:
        await db.exec(insert(table_of(model)).on_conflict_do_nothing(), params=rows)
