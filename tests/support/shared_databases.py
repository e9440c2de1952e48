"""A worker's own database of each kind, and the app on it: made once, put back before each test.

Making them costs more than most tests do. What a test changes is undone before the next one: its
rows, its clock, what it was counted for. Where it changed content or migrations, everything is made
again.
"""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

import asyncpg
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.content.release import Release
from api.core.config import Settings
from api.http.context import AppContext
from api.http.limiter import Limiter
from api.main import create_app
from api.tables import ALL_TABLES
from tests.support import databases, postgres
from tests.support.clock import FakeClock

# Erasures are logged outside of the database: in a file of the worker's own.
PUBLICATION_LOG = "FOOTING_PUBLICATION_LOG"
# What a running app keeps in memory, and what a migration is known by.
FINGERPRINT = (
    "SELECT version_num FROM alembic_version",
    "SELECT hash FROM content_release ORDER BY hash",
    "SELECT release_hash FROM active_release",
    "SELECT activity_id FROM known_activity ORDER BY activity_id",
    "SELECT hash FROM withdrawn_rule_set",
)
# What a test may add to a schema, or switch off in it.
SCHEMA = """
    SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute),
        (SELECT count(*) FROM pg_constraint),
        (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'O'),
        (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_proc),
        (SELECT count(*) FROM pg_db_role_setting, pg_database
            WHERE setdatabase = pg_database.oid AND datname = current_database())
"""
CONTENT = {"content_release", "content_body", "active_release", "known_activity"}
SELDOM_SECONDS = 3600

Fingerprint = tuple[tuple[object, ...], ...]


class SharedDatabase(ABC):
    """A database of one kind that the tests of one worker take turns on."""

    url: str
    expected: Fingerprint

    def __init__(self) -> None:
        self.name = f"b{uuid.uuid4().hex}"
        self.app: FastAPI | None = None
        self.running = contextlib.ExitStack()

    @abstractmethod
    def make(self) -> None:
        """Copy the template."""

    @abstractmethod
    def is_restored(self) -> bool:
        """Undo what happened in it; tell whether that was possible."""

    @abstractmethod
    def drop(self) -> None:
        """Leave nothing behind."""

    def restore(self) -> None:
        """Put everything back as it was when it was made."""
        Path(os.environ[PUBLICATION_LOG]).unlink(missing_ok=True)
        if not self.is_restored():
            self.stop()
            self.make()
        if self.app is not None:
            context: AppContext = self.app.state.context
            fresh = Limiter(context.settings)
            self.app.state.context = dataclasses.replace(context, limiter=fresh)

    def client(self, clock: FakeClock) -> TestClient:
        """Return a client of the app, which is started when it is first asked for."""
        if self.app is None:
            # Nothing but the test happens here while it runs.
            settings = Settings(database_url=self.url, release_poll_seconds=SELDOM_SECONDS)
            self.app = create_app(settings, clock)
            first = TestClient(self.app, raise_server_exceptions=False)
            self.portal = self.running.enter_context(first).portal
        client = TestClient(self.app, raise_server_exceptions=False)
        client.portal = self.portal
        return client

    def stop(self) -> None:
        """Stop the app."""
        self.running.close()
        self.app = None

    def close(self) -> None:
        """Stop the app and drop the database."""
        self.stop()
        self.drop()


class SharedSqlite(SharedDatabase):
    """A file, which is replaced: nothing of what was in it can stay."""

    def __init__(self, templates: Path, folder: Path) -> None:
        super().__init__()
        self.template = templates / "template.db"
        self.path = folder / f"{self.name}.db"
        self.url = f"sqlite:///{self.path}"
        self.make()

    def make(self) -> None:
        self.drop()
        shutil.copy(self.template, self.path)
        self.expected = self.fingerprint()

    def fingerprint(self) -> Fingerprint:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return tuple(tuple(connection.execute(query)) for query in FINGERPRINT)

    def is_restored(self) -> bool:
        if self.app is not None:
            # A file can be replaced only while it is not open.
            assert self.portal is not None
            self.portal.call(self.app.state.context.database.close)
        try:
            if self.fingerprint() != self.expected:
                return False
        except sqlite3.Error:
            return False
        self.drop()
        shutil.copy(self.template, self.path)
        return True

    def drop(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


class SharedPostgres(SharedDatabase):
    """A database whose rows are deleted: to copy one again takes longer than most tests."""

    def __init__(self) -> None:
        super().__init__()
        self.url = databases.url_of(self.name)
        self.make()

    def make(self) -> None:
        copy = f"CREATE DATABASE {self.name} TEMPLATE {databases.TEMPLATE} STRATEGY FILE_COPY"
        self.drop()
        asyncio.run(postgres.execute(databases.postgres_url(), copy))
        self.expected, self.installation = asyncio.run(self.look())

    async def look(self) -> tuple[Fingerprint, asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            (installation,) = await connection.fetch("SELECT id, installed_on FROM installation")
            return await self.fingerprint(connection), installation
        finally:
            await connection.close()

    async def fingerprint(self, connection: asyncpg.Connection) -> Fingerprint:
        return tuple([tuple(await connection.fetch(query)) for query in (*FINGERPRINT, SCHEMA)])

    def is_restored(self) -> bool:
        try:
            return asyncio.run(self.empty())
        except (asyncpg.PostgresError, OSError):
            return False

    async def empty(self) -> bool:
        """Delete every row that a test has put there."""
        connection = await asyncpg.connect(self.url)
        try:
            if await self.fingerprint(connection) != self.expected:
                return False
            async with connection.transaction():
                # Past the triggers that keep publications and the audit log as they are.
                await connection.execute(
                    "SET LOCAL lock_timeout = '5s'; SET LOCAL session_replication_role = replica; "
                    + "; ".join(
                        f"DELETE FROM {model.__tablename__}"
                        for model in ALL_TABLES
                        if model.__tablename__ not in CONTENT
                    )
                )
                # The one number that a sequence gives.
                await connection.execute(
                    "SELECT setval(pg_get_serial_sequence('audit_entry', 'number'), 1, false)"
                )
                insert = "INSERT INTO installation (id, installed_on) VALUES ($1, $2)"
                await connection.execute(insert, *self.installation)
            return True
        finally:
            await connection.close()

    def drop(self) -> None:
        drop = f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"
        asyncio.run(postgres.execute(databases.postgres_url(), drop))


class SharedDatabases:
    """One worker's databases, by kind; each is made when it is first needed."""

    def __init__(self, templates: Path, folder: Path) -> None:
        self.clock = FakeClock()
        self.release: Release | None = None
        self.makers: dict[str, Callable[[], SharedDatabase]] = {
            "sqlite": lambda: SharedSqlite(templates, folder),
            "postgresql": SharedPostgres,
        }
        self.made: dict[str, SharedDatabase] = {}

    def restored(self, kind: str) -> SharedDatabase:
        """Return the database of a kind as it was when it was made."""
        if kind not in self.made:
            self.made[kind] = self.makers[kind]()
        shared = self.made[kind]
        shared.restore()
        return shared

    def client(self, url: str, clock: FakeClock) -> TestClient:
        """Return a client of the app on a database."""
        (shared,) = (shared for shared in self.made.values() if shared.url == url)
        return shared.client(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for shared in self.made.values():
            shared.close()
