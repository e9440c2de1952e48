"""Fills a database with synthetic participants and sessions, to measure how speed scales."""

import asyncio
import datetime
import itertools
import json
import random
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import asyncpg
import typer

Rows = Iterator[tuple[Any, ...]]
# Is given how many rows were stored.
Show = Callable[[int], object]
CHUNK = 10_000
HOURS_APART = 3
PARTICIPANT = (
    *("participant_id", "enrolled_at", "time_zone", "language", "age_band", "region"),
    *("conditions", "last_change", "used", "storage_consent"),
)
CONSENT = ("participant_id", "number", "version", "storage", "research", "given_at")
SESSION = (
    *("participant_id", "id", "content_hash", "received_at", "routine_id", "started_at"),
    *("ended_at", "local_date", "time_zone", "status", "items", "pain_before", "pain_after"),
)
CHANGE = ("participant_id", "number", "kind", "record_id", "deleted", "changed_at")
ITEMS = json.dumps(
    [{"activity_id": "toe-curls", "kind": "exercise", "side": "left", "seconds": 150}]
)


def random_ids(seed: int) -> Iterator[uuid.UUID]:
    """Make ids that are the same in every run."""
    source = random.Random(seed)  # noqa: S311  # ids, no secrets
    while True:
        yield uuid.UUID(int=source.getrandbits(128), version=4)


def participant_rows(participants: Iterable[uuid.UUID], sessions_each: int) -> Rows:
    """Make participants, enrolled a year ago."""
    enrolled = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=365)
    for participant in participants:
        yield (
            *(participant, enrolled, "Europe/Madrid", "en", "unspecified", "unspecified"),
            *("[]", sessions_each, True, True),
        )


def consent_rows(participants: Iterable[uuid.UUID]) -> Rows:
    """Make a consent for each participant."""
    given = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=365)
    return ((participant, 1, "2026-11-22", True, False, given) for participant in participants)


def session_rows(participants: Iterable[uuid.UUID], sessions_each: int) -> Rows:
    """Make sessions, a few hours apart and the newest first."""
    newest = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    ids = random_ids(2)
    for participant in participants:
        for number in range(1, sessions_each + 1):
            started = newest - datetime.timedelta(hours=HOURS_APART * number)
            ended = started + datetime.timedelta(minutes=15)
            yield (
                *(participant, next(ids), "0" * 64, ended, "daily-15-minutes", started, ended),
                *(started.date(), "UTC", "completed", ITEMS, 5, 4),
            )


def change_rows(participants: Iterable[uuid.UUID], sessions_each: int) -> Rows:
    """Make the entries of the change feed that belong to the sessions."""
    ids = random_ids(2)
    now = datetime.datetime.now(datetime.UTC)
    for participant in participants:
        for number in range(1, sessions_each + 1):
            yield participant, number, "session", next(ids), False, now


async def _copy(url: str, table: str, columns: tuple[str, ...], rows: Rows, show: Show) -> None:
    connection = await asyncpg.connect(url)
    try:
        while chunk := list(itertools.islice(rows, CHUNK)):
            await connection.copy_records_to_table(table, records=chunk, columns=columns)
            show(len(chunk))
    finally:
        await connection.close()


def as_sqlite_stores(value: Any) -> Any:
    """Return a value in the form in which SQLAlchemy stores it."""
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime.datetime):
        naive = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return naive.isoformat(" ", "microseconds")
    return value.isoformat() if isinstance(value, datetime.date) else value


def _insert(url: str, table: str, columns: tuple[str, ...], rows: Rows, show: Show) -> None:
    places = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
    connection = sqlite3.connect(url.partition(":///")[2])
    try:
        while chunk := [tuple(map(as_sqlite_stores, row)) for row in itertools.islice(rows, CHUNK)]:
            with connection:
                connection.executemany(statement, chunk)
            show(len(chunk))
    finally:
        connection.close()


def store(url: str, table: str, columns: tuple[str, ...], rows: Rows, show: Show) -> None:
    """Store rows in batches: by COPY, or by executemany."""
    if url.startswith("sqlite"):
        _insert(url, table, columns, rows, show)
    else:
        asyncio.run(_copy(url, table, columns, rows, show))


def add_sessions(url: str, participant: uuid.UUID, sessions: int) -> None:
    """Give an enrolled participant sessions."""
    store(url, "exercise_session", SESSION, session_rows([participant], sessions), _hide)
    store(url, "recorded_change", CHANGE, change_rows([participant], sessions), _hide)
    _set_last_change(url, participant, sessions)


def _set_last_change(url: str, participant: uuid.UUID, number: int) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.partition(":///")[2]) as connection:
            connection.execute(
                "UPDATE participant SET last_change = ? WHERE participant_id = ?",
                (number, participant.hex),
            )
        connection.close()
        return

    async def update() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(
            "UPDATE participant SET last_change = $1 WHERE participant_id = $2", number, participant
        )
        await connection.close()

    asyncio.run(update())


def fill(url: str, people: int, sessions: int) -> None:
    """Store so many participants, and so many sessions in all, and show how far it is."""
    each = max(1, sessions // people)
    everyone = list(itertools.islice(random_ids(1), people))
    with typer.progressbar(
        length=2 * people + 2 * people * each, label="Filling the database", file=sys.stderr
    ) as bar:
        store(url, "participant", PARTICIPANT, participant_rows(everyone, each), bar.update)
        store(url, "consent_record", CONSENT, consent_rows(everyone), bar.update)
        store(url, "exercise_session", SESSION, session_rows(everyone, each), bar.update)
        store(url, "recorded_change", CHANGE, change_rows(everyone, each), bar.update)


def _hide(_: int) -> None:
    """Show nothing."""
