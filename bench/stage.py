"""What rows share: databases with content, enrolled participants, responses of the product."""

import asyncio
import base64
import contextlib
import datetime
import functools
import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import httpx

from bench.people import add_sessions, fill
from bench.servers import Server, footing, serve, serve_footing
from tests.support.postgres import execute, running_cluster

PARTICIPANTS = 64
ENROLMENT = {
    "time_zone": "Europe/Madrid",
    "language": "en",
    "consent": {"version": "2026-11-22", "storage": True, "research": False},
}
POSTGRESQL, SQLITE = "postgresql", "sqlite"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the rows about growth store."""

    # Sessions of one participant.
    own: int = 1000
    # Participants and sessions of all.
    people: int = 10_000
    sessions: int = 100_000


class Stage:
    """Everything is made on first use, and removed at the end."""

    def __init__(self, sizes: Sizes | None = None) -> None:
        self.sizes = sizes or Sizes()
        self._stack = contextlib.ExitStack()
        self._tokens: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        self.folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="footing-bench-"))
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @functools.cached_property
    def cluster(self) -> str:
        """A PostgreSQL whose commits are on the disk when they are confirmed."""
        return self._stack.enter_context(running_cluster(durable=True))

    def empty_database(self, kind: str, name: str) -> str:
        """Create a database with the newest tables and the content; return its URL."""
        if kind == SQLITE:
            url = f"sqlite:///{self.folder / name}.db"
        else:
            asyncio.run(execute(self.cluster, f"CREATE DATABASE {name}"))
            url = self.cluster.rpartition("/")[0] + f"/{name}"
        env = {"FOOTING_DATABASE_URL": url}
        footing("migrate", env=env)
        footing("seed", env=env)
        return url

    @functools.cache  # noqa: B019  # one stage, used to the end
    def database(self, kind: str) -> str:
        """Return the URL of the database that rows of one kind share."""
        return self.empty_database(kind, "bench")

    @functools.cache  # noqa: B019  # the same
    def filled_database(self, kind: str) -> str:
        """Return the URL of a database with many participants and sessions."""
        url = self.empty_database(kind, "filled")
        fill(url, self.sizes.people, self.sizes.sessions)
        return url

    def serve_footing(
        self, kind: str = SQLITE, settings: Mapping[str, str] = MappingProxyType({})
    ) -> contextlib.AbstractContextManager[Server]:
        """Serve the product on the shared database."""
        log = str(self.folder / "publications.log")
        return serve_footing(self.database(kind), {"publication_log": log, **settings})

    def participant(self, server: Server, database_url: str, sessions: int) -> str:
        """Enrol a participant who has so many sessions; return the token."""
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            enrolled = client.post("/v1/participants", json=ENROLMENT).raise_for_status().json()
        add_sessions(database_url, uuid.UUID(enrolled["participant_id"]), sessions)
        token: str = enrolled["device_token"]
        return token

    def tokens(self, kind: str, server: Server) -> list[str]:
        """Return the tokens of participants; uploads of one participant would wait for each other.

        They are enrolled with the first server of a database.
        """
        if kind not in self._tokens:
            with httpx.Client(base_url=server.url, trust_env=False) as client:
                self._tokens[kind] = [
                    client.post("/v1/participants", json=ENROLMENT)
                    .raise_for_status()
                    .json()["device_token"]
                    for _ in range(PARTICIPANTS)
                ]
        return self._tokens[kind]

    @contextlib.contextmanager
    def limit_of_response(
        self,
        app: str,
        server: Server,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Iterator[Server]:
        """Serve a response of the product by the least that can."""
        with (
            httpx.Client(base_url=server.url, trust_env=False) as client,
            client.stream(
                "GET" if body is None else "POST",
                path,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                content=body,
            ) as response,
        ):
            found = {
                "status": response.status_code,
                # uvicorn adds the date itself.
                "headers": [
                    (name, value) for name, value in response.headers.items() if name != "date"
                ],
                "body": base64.b64encode(b"".join(response.iter_raw())).decode(),
            }
        file = self.folder / "response.json"
        file.write_text(json.dumps(found), "utf-8")
        with serve(f"limits:{app}", BENCH_RESPONSE=str(file)) as limit:
            yield limit

    def serve_peer(self, kind: str, server: Server) -> contextlib.AbstractContextManager[Server]:
        """Serve the naive peer on the shared database."""
        routine = httpx.get(f"{server.url}/v1/routines/daily-15-minutes", trust_env=False).json()
        file = self.folder / "peer.json"
        file.write_text(
            json.dumps({"routine": routine, "tokens": self.tokens(kind, server)}), "utf-8"
        )
        url = self.database(kind).replace("postgresql:", "postgresql+psycopg:")
        return serve("peer:app", BENCH_PEER_URL=url, BENCH_PEER_DATA=str(file))


def session(**changes: Any) -> dict[str, Any]:
    """Make a session of yesterday, as an app sends it."""
    started = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).replace(
        hour=7, microsecond=0
    )
    return {
        "id": "@ID@",
        "routine_id": "daily-15-minutes",
        "started_at": started.isoformat(),
        "ended_at": (started + datetime.timedelta(minutes=15)).isoformat(),
        "local_date": started.date().isoformat(),
        "time_zone": "Europe/Madrid",
        "status": "completed",
        "items": [
            {"activity_id": "toe-curls", "kind": "exercise", "side": side, "seconds": 150}
            for side in ("left", "right")
        ],
        "pain_before": 5,
        "pain_after": 4,
    } | changes


def report() -> dict[str, Any]:
    """Make a symptom report of now, as an app sends it."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return {
        "id": "@ID@",
        "reported_at": now.isoformat(),
        "local_date": now.date().isoformat(),
        "time_zone": "UTC",
        "pain_score": 4,
        "weeks": 2,
        "trend": "same",
        "answers": {"radiating_pain": "none", "saddle_numbness": "no"},
    }
