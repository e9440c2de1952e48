"""The database: on both kinds, instants are preserved and a row is stored once."""

import asyncio
import contextlib
import datetime
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, text
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.core.config import Settings
from api.core.db import Database, insert_once, is_outage, switch_to_wal, table_of
from api.participants.models import Participant
from api.tables import ALL_TABLES, PERSONAL_TABLES
from tests.core.stored import execute, in_database, rows
from tests.support.budget import budget
from tests.support.device import Device

NOON = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
MADRID = datetime.timezone(datetime.timedelta(hours=1))


def participant(**changes: Any) -> dict[str, Any]:
    return {
        "participant_id": uuid.uuid4(),
        "enrolled_at": NOON,
        "time_zone": "Europe/Madrid",
        "language": "en",
        "age_band": "unknown",
        "region": "unknown",
        "conditions": [],
        "last_change": 0,
        "used": False,
        "storage_consent": True,
    } | changes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_sqlite_connection_is_set_up_to_lose_nothing(database_url: str) -> None:
    settings = Settings(database_url=database_url, database_pool_size=3)

    async def look(engine: AsyncEngine, how_many: int) -> list[tuple[Any, ...]]:
        found = []
        connections = [await engine.connect() for _ in range(how_many)]
        for connection in connections:
            values = [await connection.scalar(text(f"PRAGMA {name}")) for name in PRAGMAS]
            found.append(tuple(values))
        for connection in connections:
            await connection.close()
        return found

    async def look_at_both() -> list[tuple[Any, ...]]:
        database = Database(settings)
        found = [*await look(database.writer, 1), *await look(database.reader, 3)]
        await database.close()
        return found

    full = 2
    assert asyncio.run(look_at_both()) == [("wal", full, 1, 5000)] * 4


def test_an_instant_comes_back_as_the_same_instant_in_utc(database_url: str) -> None:
    given = NOON.astimezone(MADRID)
    assert given.utcoffset() != NOON.utcoffset()
    row = participant(enrolled_at=given)
    in_database(database_url, lambda db: db.execute(insert(Participant).values(row)))
    (stored,) = rows(database_url, Participant)
    assert stored["enrolled_at"] == NOON
    assert stored["enrolled_at"].tzinfo is datetime.UTC


def test_an_instant_is_found_by_the_same_instant_written_with_another_offset(
    database_url: str,
) -> None:
    row = participant()

    async def find(db: AsyncSession) -> Any:
        await db.execute(insert(Participant).values(row))
        same = select(col(Participant.participant_id)).where(
            col(Participant.enrolled_at) == NOON.astimezone(MADRID)
        )
        return (await db.execute(same)).scalar_one_or_none()

    assert in_database(database_url, find) == row["participant_id"]


def test_a_time_without_an_offset_is_refused_and_not_stored(database_url: str) -> None:
    row = participant(enrolled_at=NOON.replace(tzinfo=None))
    with pytest.raises(StatementError, match="naive"):
        in_database(database_url, lambda db: db.execute(insert(Participant).values(row)))
    assert rows(database_url, Participant) == []


def test_a_row_is_inserted_once_and_the_first_one_stays(database_url: str) -> None:
    row = participant()

    async def insert_twice(db: AsyncSession) -> tuple[bool, bool]:
        first = await insert_once(db, Participant, row)
        return first, await insert_once(db, Participant, {**row, "language": "es"})

    assert in_database(database_url, insert_twice) == (True, False)
    (stored,) = rows(database_url, Participant)
    assert stored["language"] == "en"


def test_an_exception_in_a_transaction_leaves_nothing_behind(database_url: str) -> None:
    async def insert_and_fail(db: AsyncSession) -> None:
        await db.execute(insert(Participant).values(participant()))
        raise LookupError

    with pytest.raises(LookupError):
        in_database(database_url, insert_and_fail)
    assert rows(database_url, Participant) == []


def test_a_record_without_a_participant_is_rejected_by_the_database(database_url: str) -> None:
    with pytest.raises(IntegrityError):
        execute(
            database_url,
            "INSERT INTO device (participant_id, device_id, secret_hash, created_at)"
            f" VALUES ('{uuid.uuid4().hex}', '{uuid.uuid4().hex}', 'x', '2026-11-22 12:00:00')",
        )


# A recovery code is looked up before it is known whose it is.
# What is found without knowing whose it is: by a code that is typed, by a calendar's address.
KEYED_BY_A_SECRET = {"recovery_code", "calendar_feed"}


@pytest.mark.parametrize(
    "table", [table_of(model) for model in PERSONAL_TABLES], ids=lambda table: table.name
)
def test_every_personal_row_belongs_to_its_participant_and_goes_with_them(table: Table) -> None:
    if table.name not in KEYED_BY_A_SECRET:
        assert table.primary_key.columns.keys()[0] == "participant_id"
    for key in table.foreign_key_constraints:
        assert key.column_keys[0] == "participant_id"
        assert key.ondelete == "CASCADE"
    assert table.foreign_key_constraints or table.name == "participant"


def test_every_constraint_has_a_name_that_a_later_migration_can_use() -> None:
    for model in ALL_TABLES:
        table = table_of(model)
        assert table.primary_key.name == f"pk_{table.name}"
        assert all(key.name for key in table.foreign_key_constraints)


# A commit that fails: a deferred constraint is checked at no other moment.
BREAK_COMMITS = {
    "sqlite": [
        "CREATE TABLE absent (id INTEGER PRIMARY KEY)",
        """
        CREATE TABLE dangling (id INTEGER REFERENCES absent (id) DEFERRABLE INITIALLY DEFERRED)
        """,
        """
        CREATE TRIGGER dangle AFTER INSERT ON exercise_session
        BEGIN INSERT INTO dangling VALUES (1); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'at commit'; END $$
        """,
        """
        CREATE CONSTRAINT TRIGGER dangle AFTER INSERT ON exercise_session
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()
        """,
    ],
}
MEND_COMMITS = {
    "sqlite": "DROP TRIGGER dangle",
    "postgresql": "DROP TRIGGER dangle ON exercise_session",
}


def test_a_failed_commit_is_never_reported_as_stored(
    client: TestClient, device: Device, database_url: str
) -> None:
    kind = database_url.partition(":")[0]
    execute(database_url, *BREAK_COMMITS[kind])
    body = device.session()
    response = device.post_session(body)
    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "Location" not in response.headers
    assert device.get("/v1/sessions").json()["items"] == []
    # The failed transaction holds nothing up: the client's retry is stored.
    execute(database_url, MEND_COMMITS[kind])
    assert device.post_session(body).status_code == 201
    assert client.get("/readyz").status_code == 200


class DriverError(Exception):
    """What a driver raises, with the database's own code."""

    def __init__(self, sqlstate: str = "") -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (DBAPIError("", None, DriverError("57P01")), True),
        (DBAPIError("", None, DriverError("57P03")), True),
        (DBAPIError("", None, DriverError("53300")), True),
        (DBAPIError("", None, DriverError("08006")), True),
        (DBAPIError("", None, DriverError("40001")), True),
        (DBAPIError("", None, DriverError("40P01")), True),
        (DBAPIError("", None, DriverError("23505")), False),
        (DBAPIError("", None, DriverError("42P01")), False),
        (DBAPIError("", None, DriverError(), connection_invalidated=True), True),
        (DBAPIError("", None, DriverError()), False),
        (OperationalError("", None, Exception("database is locked")), True),
        (OperationalError("", None, Exception("no such table: device")), False),
        (ProgrammingError("", None, DriverError()), False),
        (PoolTimeoutError("all connections are busy"), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (ValueError(), False),
    ],
)
def test_an_outage_is_distinguished_from_a_fault_of_ours(error: Exception, *, outage: bool) -> None:
    assert is_outage(error) is outage


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_a_url_says_arrives_at_the_server(database_url: str) -> None:
    place, _, name = database_url.partition("@")[2].partition("/")
    url = f"postgres://postgres@{place},{place}/{name}?application_name=feet%20first&sslmode=prefer"
    url += "&options=-c%20statement_timeout%3D4321&connect_timeout=9&target_session_attrs=primary"
    shown = "current_setting('application_name'), current_setting('statement_timeout')"

    async def read(db: AsyncSession) -> tuple[str, str]:
        return tuple((await db.execute(text(f"SELECT {shown}"))).one())

    assert in_database(url, read) == ("feet first", "4321ms")


def test_connections_that_open_a_new_file_at_the_same_moment_all_succeed(tmp_path: Path) -> None:
    """SQLite refuses one of two that switch the journal mode together, without waiting."""
    together = 4
    start = threading.Barrier(together)

    def open_one(path: Path) -> str:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            start.wait()
            switch_to_wal(connection.cursor(), 5)
            mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
            return mode

    with ThreadPoolExecutor(together) as threads:
        for number in range(budget(quick=100, full=1000)):
            path = tmp_path / f"{number}.db"
            assert list(threads.map(open_one, [path] * together)) == ["wal"] * together
