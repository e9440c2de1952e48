"""`/readyz` says no when nothing can be stored, and costs next to nothing while all is well."""

import asyncio
import contextlib
import json
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.core import writable
from tests.conftest import AppMaker
from tests.support import databases, postgres
from tests.support.device import Device
from tests.support.server import running_server
from tests.support.waiting import wait_until


@contextlib.contextmanager
def full_disk(pid: int, file: Path) -> Iterator[None]:
    """Limit files of the process to the size of a file, as on a full disk."""
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (file.stat().st_size, unlimited[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


def changes_in(log: str) -> list[str]:
    events = [json.loads(line)["event"] for line in log.splitlines()]
    return [
        event
        for event in events
        if event.endswith(("write to the database", "be written to again"))
    ]


def assert_not_ready(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)
def test_a_server_whose_disk_is_full_is_not_ready_until_there_is_room(
    own_database: str, tmp_path: Path
) -> None:
    with (
        running_server(own_database, tmp_path) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        device = Device(client)
        device.enrol()
        for _ in range(3):
            device.post_session(device.session())
        body = device.session()
        wal = Path(own_database.removeprefix("sqlite:///") + "-wal")
        assert wal.stat().st_size > 2 * server.log_file.stat().st_size
        assert client.get("/readyz").status_code == 200
        with full_disk(server.process.pid, wal):
            refused = device.post_session(body)
            assert_not_ready(refused)
            for _ in range(5):
                assert_not_ready(client.get("/readyz"))
            # Everything that only reads goes on.
            assert len(device.get("/v1/sessions").json()["items"]) == 3
            assert client.get("/healthz").status_code == 200
            assert client.post("/v1/triage/evaluations", json={}).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert device.post_session(body).status_code == 201
        # Said once, however often it was asked.
        assert changes_in(server.log) == [
            "cannot write to the database",
            "the database can be written to again",
        ]


@pytest.mark.parametrize("own_database", ["postgresql"], indirect=True)
def test_a_read_only_postgresql_is_not_ready_and_refuses_writes_for_the_time_being(
    own_database: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=own_database)
    device = Device(client)
    device.enrol()
    assert client.get("/readyz").status_code == 200
    name = own_database.rpartition("/")[2]
    # As after a failover to a server that follows another: every session starts read-only.
    turn = f"ALTER DATABASE {name} SET default_transaction_read_only"
    hang_up = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    asyncio.run(postgres.execute(databases.postgres_url(), f"{turn} = on", hang_up))
    body = device.session()
    assert_not_ready(client.get("/readyz"))
    assert_not_ready(device.post_session(body))
    assert device.get("/v1/sessions").json()["items"] == []
    asyncio.run(postgres.execute(databases.postgres_url(), f"{turn} = off", hang_up))
    # A request may still be given a connection whose end the driver has not heard of.
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert device.post_session(body).status_code == 201


@pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)
def test_however_often_it_is_asked_next_to_nothing_is_written(
    own_database: str, make_client: AppMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(database_url=own_database)
    wal = Path(own_database.removeprefix("sqlite:///") + "-wal")

    def written_by(probes: int) -> int:
        before = wal.stat().st_size
        for _ in range(probes):
            assert client.get("/readyz").status_code == 200
        return wal.stat().st_size - before

    one_page = written_by(1)
    assert 0 < one_page < 20_000
    assert written_by(50) == 0
    monkeypatch.setattr(writable, "VALID_SECONDS", 0.0)
    client.app.state.context.write_check.valid_until = 0.0  # type: ignore[attr-defined]
    assert written_by(1) > 0


@pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)
def test_a_database_with_another_writer_is_ready(own_database: str, make_client: AppMaker) -> None:
    client = make_client(database_url=own_database)
    with contextlib.closing(sqlite3.connect(own_database.removeprefix("sqlite:///"))) as holder:
        holder.isolation_level = None
        holder.execute("BEGIN IMMEDIATE")
        assert client.get("/readyz").status_code == 200
        holder.execute("ROLLBACK")
    # The check left the connection as patient as it was.
    device = Device(client)
    device.enrol()
