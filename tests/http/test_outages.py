"""A database that is unavailable or busy: 503 with `Retry-After`, and nothing is lost."""

import contextlib
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from tests.conftest import AppMaker
from tests.support.device import Device

pytestmark = pytest.mark.chaos

HOST = "127.0.0.1"


class DatabaseProxy:
    """A TCP proxy to the database that a test can cut and restore."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.listener = socket.create_server((HOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.silent = threading.Event()
        self.ends: list[socket.socket] = []
        self._accept()

    def _accept(self) -> None:
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
                self.ends += [near, far]
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                readable, _, _ = select.select([near, far], [], [], 0.05)
                while self.silent.is_set():
                    time.sleep(0.05)
                for end in readable:
                    data = end.recv(65536)
                    if not data:
                        return
                    (far if end is near else near).sendall(data)

    def cut(self) -> None:
        """Drop every connection and refuse new ones, as a server that stops."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends.clear()

    def restore(self) -> None:
        self.listener = socket.create_server((HOST, self.port))
        self._accept()


@pytest.fixture
def proxy(database_url: str) -> Iterator[DatabaseProxy]:
    address = urlsplit(database_url)
    assert address.hostname is not None
    proxy = DatabaseProxy(address.hostname, address.port or 5432)
    yield proxy
    proxy.silent.clear()
    proxy.cut()


def through(proxy: DatabaseProxy, database_url: str) -> str:
    return urlsplit(database_url)._replace(netloc=f"postgres@{HOST}:{proxy.port}").geturl()


def assert_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_postgresql_that_stops_is_unavailable_until_it_is_back(
    database_url: str, make_client: AppMaker, proxy: DatabaseProxy
) -> None:
    device = Device(make_client(database_url=through(proxy, database_url)))
    device.enrol()
    body = device.session()
    proxy.cut()
    for _ in range(3):
        assert_unavailable(device.post_session(body))
        assert_unavailable(device.get("/v1/sessions"))
        assert_unavailable(device.client.get("/readyz"))
    # The process lives, and what the article teaches is served from memory.
    assert device.client.get("/healthz").status_code == 200
    assert device.client.get("/v1/routines/daily-15-minutes").status_code == 200
    assert device.client.post("/v1/triage/evaluations", json={}).status_code == 200
    proxy.restore()
    assert device.post_session(body).status_code == 201
    assert device.client.get("/readyz").status_code == 200
    assert len(device.get("/v1/sessions").json()["items"]) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_postgresql_that_does_not_answer_is_unavailable_in_time(
    database_url: str, make_client: AppMaker, proxy: DatabaseProxy
) -> None:
    device = Device(
        make_client(database_url=through(proxy, database_url), database_timeout_seconds=2)
    )
    device.enrol()
    proxy.silent.set()
    started = time.monotonic()
    assert_unavailable(device.post_session(device.session()))
    assert time.monotonic() - started < 20
    assert device.client.get("/v1/exercises").status_code == 200
    proxy.silent.clear()
    assert device.post_session(device.session()).status_code == 201


def test_a_locked_sqlite_is_unavailable_until_it_is_unlocked(
    database_url: str, make_client: AppMaker
) -> None:
    device = Device(make_client(database_url=database_url, database_timeout_seconds=0.2))
    device.enrol()
    body = device.session()
    holder = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert_unavailable(device.post_session(body))
    # Requests that only read do not wait.
    assert device.get("/v1/sessions").status_code == 200
    assert device.client.get("/readyz").status_code == 200
    holder.execute("ROLLBACK")
    holder.close()
    assert device.post_session(body).status_code == 201


def test_a_sqlite_that_is_no_longer_there_is_a_fault_of_ours_and_no_outage(
    database_url: str, make_client: AppMaker
) -> None:
    device = Device(make_client(database_url=database_url))
    device.enrol()
    holder = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    holder.execute("DROP TABLE exercise_session")
    holder.close()
    response = device.post_session(device.session())
    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"


def test_ready_names_the_release_it_serves(client: TestClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert len(response.json()["release"]) == 64
