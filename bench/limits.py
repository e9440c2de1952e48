"""The limits: the least that a server written in Python has to do for the same response.

Each app is served by the same uvicorn as the product. The environment says with what:
BENCH_RESPONSE is a file with a response of the product, BENCH_DATABASE_URL is its database.
"""

import asyncio
import base64
import datetime
import json
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from fastapi import FastAPI, Response
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

COLUMNS = (
    *("participant_id", "id", "content_hash", "received_at", "routine_id", "started_at"),
    *("ended_at", "local_date", "time_zone", "status", "items", "pain_before", "pain_after"),
)
NAMES = ", ".join(COLUMNS)
SQLITE_PRAGMAS = (
    *("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"),
    *("PRAGMA foreign_keys=ON", "PRAGMA secure_delete=ON"),
)
CREATED = b'{"status":"created"}'
Handler = Callable[[Scope, bytes], Awaitable[bytes]]


class Prepared:
    """One response of the product, byte for byte."""

    def __init__(self) -> None:
        given = json.loads(Path(os.environ["BENCH_RESPONSE"]).read_bytes())
        headers = [(name.encode(), value.encode()) for name, value in given["headers"]]
        self.start = {
            "type": "http.response.start",
            "status": given["status"],
            "headers": headers,
        }
        self.body = {"type": "http.response.body", "body": base64.b64decode(given["body"])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, whatever is asked for."""
        if scope["type"] == "lifespan":
            await _no_lifespan(receive, send)
        else:
            # uvicorn writes into what it is given.
            await send(dict(self.start))
            await send(self.body)


async def _no_lifespan(receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


class Inserting:
    """Reads a JSON body, and stores what is in it."""

    def __init__(self, insert: Handler) -> None:
        self.insert = insert

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Store one body."""
        if scope["type"] == "lifespan":
            await _no_lifespan(receive, send)
            return
        data = b""
        more = True
        while more:
            message: Message = await receive()
            data += message.get("body", b"")
            more = message.get("more_body", False)
        body = CREATED if scope["path"] == "/ready" else await self.insert(scope, data)
        headers = [(b"content-type", b"application/json")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def participant_of(scope: Scope) -> uuid.UUID:
    """Read the participant's id in a token, without verifying it."""
    (token,) = (value for name, value in scope["headers"] if name == b"authorization")
    return uuid.UUID(token.decode().split("_")[1])


def row_of(participant: uuid.UUID, sent: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the row of a session, in the order of COLUMNS."""
    return (
        participant,
        uuid.UUID(sent["id"]),
        "0" * 64,
        datetime.datetime.now(datetime.UTC),
        sent["routine_id"],
        datetime.datetime.fromisoformat(sent["started_at"]),
        datetime.datetime.fromisoformat(sent["ended_at"]),
        datetime.date.fromisoformat(sent["local_date"]),
        sent["time_zone"],
        sent["status"],
        json.dumps(sent["items"]),
        sent["pain_before"],
        sent["pain_after"],
    )


class Postgres:
    """A pool of the product's size."""

    def __init__(self) -> None:
        places = ", ".join(f"${number}" for number in range(1, len(COLUMNS) + 1))
        self.statement = (
            f"INSERT INTO exercise_session ({NAMES}) VALUES ({places}) ON CONFLICT DO NOTHING"
        )
        self.pool: asyncpg.Pool | None = None
        self.opening = asyncio.Lock()

    async def open_pool(self) -> asyncpg.Pool:
        """Open the pool once."""
        async with self.opening:
            if self.pool is None:
                url = os.environ["BENCH_DATABASE_URL"]
                self.pool = await asyncpg.create_pool(url, min_size=10, max_size=10)
        return self.pool

    async def insert_one(self, scope: Scope, data: bytes) -> bytes:
        """Insert one session; the statement is its own transaction."""
        pool = self.pool or await self.open_pool()
        await pool.execute(self.statement, *row_of(participant_of(scope), json.loads(data)))
        return CREATED

    async def copy_many(self, scope: Scope, data: bytes) -> bytes:
        """Copy the sessions of a batch."""
        pool = self.pool or await self.open_pool()
        participant = participant_of(scope)
        rows = [row_of(participant, sent) for sent in json.loads(data)["sessions"]]
        async with pool.acquire() as connection:
            await connection.copy_records_to_table(
                "exercise_session", records=rows, columns=COLUMNS
            )
        return CREATED


class Sqlite:
    """One connection that writes."""

    def __init__(self) -> None:
        self.statement = (
            f"INSERT INTO exercise_session ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) "
            "ON CONFLICT DO NOTHING"
        )
        self.connection: aiosqlite.Connection | None = None
        self.writing = asyncio.Lock()

    async def insert_one(self, scope: Scope, data: bytes) -> bytes:
        """Insert one session in a transaction of its own."""
        row = row_of(participant_of(scope), json.loads(data))
        values = [_as_stored(value) for value in row]
        async with self.writing:
            if self.connection is None:
                path = os.environ["BENCH_DATABASE_URL"].partition(":///")[2]
                self.connection = await aiosqlite.connect(path, isolation_level=None)
                for pragma in SQLITE_PRAGMAS:
                    await self.connection.execute(pragma)
            await self.connection.execute("BEGIN IMMEDIATE")
            await self.connection.execute(self.statement, values)
            await self.connection.commit()
        return CREATED


def _as_stored(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).replace(tzinfo=None).isoformat(" ")
    return value.isoformat() if isinstance(value, datetime.date) else value


class Report(BaseModel):
    """The body of an evaluation, as one would declare it."""

    pain_score: int | None = None
    weeks: int | None = None
    trend: str | None = None
    age_years: int | None = None
    country: str | None = None
    answers: dict[str, str | None] = {}


def make_evaluation() -> FastAPI:
    """Make the limit of evaluations: a FastAPI route that parses the body into a model."""
    prepared = Prepared()
    headers = {
        name.decode(): value.decode()
        for name, value in prepared.start["headers"]
        if name not in {b"content-type", b"content-length"}
    }
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> Response:
        return Response()

    @app.post("/v1/triage/evaluations")
    async def evaluate(_: Report) -> Response:
        return Response(prepared.body["body"], headers=headers, media_type="application/json")

    return app


def __getattr__(name: str) -> Any:
    """Make the app that uvicorn is asked to serve: each needs an environment of its own."""
    apps: dict[str, Callable[[], Any]] = {
        "prepared": Prepared,
        "evaluation": make_evaluation,
        "postgresql": lambda: Inserting(Postgres().insert_one),
        "copy": lambda: Inserting(Postgres().copy_many),
        "sqlite": lambda: Inserting(Sqlite().insert_one),
    }
    if name not in apps:
        raise AttributeError(name)
    return apps[name]()
