"""More writes than can be done in time: some are refused at once, so that the others are not."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import Message, Receive, Scope, Send

from api.core.config import Settings
from api.core.db import Queue, QueueFull
from api.http.admission import Admission
from api.http.json_limits import BodyLimits
from api.http.middleware import ARRIVED, Arrived, RequestMiddleware
from tests.conftest import AppMaker
from tests.support import databases
from tests.support.device import Device
from tests.support.waiting import PATIENCE_SECONDS, wait_until

DATABASE_TIMEOUT_SECONDS = 20.0


@contextmanager
def sessions_held(database_url: str) -> Iterator[None]:
    """Keep everyone else from storing sessions, as something long and heavy would."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as holder:
            holder.isolation_level = None
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")
        return
    held, done = threading.Event(), threading.Event()

    async def lock_table() -> None:
        holder = await asyncpg.connect(database_url)
        async with holder.transaction():
            await holder.execute("LOCK TABLE exercise_session IN SHARE MODE")
            held.set()
            await asyncio.to_thread(done.wait)
        await holder.close()

    thread = threading.Thread(target=lambda: asyncio.run(lock_table()))
    thread.start()
    assert held.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("database_url", databases.KINDS, indirect=True)
def test_a_write_beyond_the_queue_is_refused_at_once_and_those_in_it_are_stored(
    database_url: str, make_client: AppMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    client = make_client(
        database_url=database_url,
        database_pool_size=1,
        database_max_waiting=2,
        database_timeout_seconds=DATABASE_TIMEOUT_SECONDS,
    )
    app: Any = client.app
    device = Device(client)
    device.enrol()
    refused, *waiting = (device.session() for _ in range(4))
    with ThreadPoolExecutor(3) as pool:
        with sessions_held(database_url):
            answers = [pool.submit(device.post_session, body) for body in waiting]
            wait_until(lambda: app.state.context.database.writes.taken == 3)
            capsys.readouterr()
            started = time.monotonic()
            response = device.post_session(refused)
            assert time.monotonic() - started < DATABASE_TIMEOUT_SECONDS / 2
            assert response.status_code == 503
            assert response.json()["code"] == "unavailable"
            assert int(response.headers["Retry-After"]) >= 1
            (line,) = capsys.readouterr().out.splitlines()
            assert json.loads(line)["event"] == "request"
            # What needs no database is answered as ever.
            assert client.post("/v1/triage/evaluations", json={}).status_code == 200
        assert [answer.result().status_code for answer in answers] == [201, 201, 201]
    assert device.post_session(refused).status_code == 201
    assert app.state.context.database.writes.taken == 0


def test_on_sqlite_readers_do_not_queue_behind_writers(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, database_max_waiting=1)
    device = Device(client)
    device.enrol()
    database = client.app.state.context.database  # type: ignore[attr-defined]
    database.writes.taken = database.writes.places
    assert device.post_session(device.session()).status_code == 503
    assert device.get("/v1/sessions").status_code == 200
    assert client.get("/readyz").status_code == 200
    database.writes.taken = 0
    assert device.post_session(device.session()).status_code == 201


def queue_of_one(**settings: Any) -> Queue:
    return Queue(1, Settings(database_max_waiting=1, **settings))


def test_a_place_is_given_back_whatever_happens() -> None:
    async def take_places() -> None:
        queue = queue_of_one()
        for _ in range(3):
            with pytest.raises(LookupError):
                async with queue.place():
                    raise LookupError
        async with queue.place():
            waiting = asyncio.create_task(take(queue))
            await asyncio.sleep(0)
            assert queue.taken == 2
            with pytest.raises(QueueFull):
                await take(queue)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert queue.taken == 1
        await take(queue)
        assert queue.taken == 0

    asyncio.run(take_places())


async def take(queue: Queue, then: Callable[[], None] = lambda: None) -> None:
    async with queue.place():
        then()


def test_who_waits_goes_before_who_comes_later() -> None:
    async def come_back_at_once() -> list[str]:
        queue, order = queue_of_one(), []
        async with queue.place():
            waiting = asyncio.create_task(take(queue, lambda: order.append("waited")))
            await asyncio.sleep(0)
        await take(queue, lambda: order.append("came later"))
        await waiting
        return order

    assert asyncio.run(come_back_at_once()) == ["waited", "came later"]


def test_nobody_waits_longer_than_the_timeout() -> None:
    async def wait() -> None:
        queue = queue_of_one(database_timeout_seconds=0.01)
        async with queue.place():
            with pytest.raises(PoolTimeoutError):
                await take(queue)

    asyncio.run(wait())


@pytest.mark.parametrize("database_url", databases.KINDS, indirect=True)
def test_beyond_the_requests_in_progress_tokens_are_refused_and_symptoms_are_answered(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(
        database_url=database_url,
        max_requests_in_progress=2,
        database_timeout_seconds=DATABASE_TIMEOUT_SECONDS,
    )
    app: Any = client.app
    admission = app.state.context.admission
    device = Device(client)
    device.enrol()
    report = device.report(answers={"saddle_numbness": "yes"})
    refused, *waiting = (device.session() for _ in range(3))
    with ThreadPoolExecutor(3) as pool:
        with sessions_held(database_url):
            answers = [pool.submit(device.post_session, body) for body in waiting]
            wait_until(lambda: admission.taken == 2)
            wait_until(admission.is_full)
            for response in (device.post_session(refused), device.get("/v1/sessions")):
                assert response.status_code == 503
                assert response.json()["code"] == "unavailable"
                assert int(response.headers["Retry-After"]) >= 1
            assert client.post("/v1/triage/evaluations", json={}).status_code == 200
            assert client.get("/v1/routines/daily-15-minutes").status_code == 200
            assert client.get("/healthz").status_code == 200
            # Admitted: it waits for the database as the others do, and gets its decision.
            urgent = pool.submit(device.post_report, report)
            wait_until(lambda: admission.taken == 3)
        assert [answer.result().status_code for answer in answers] == [201, 201]
        assert urgent.result().json()["decision"]["level"] == "emergency"
    assert admission.taken == 0
    assert device.post_session(refused).status_code == 201


def test_a_burst_is_admitted_and_a_lasting_overload_is_not() -> None:
    now = 100.0
    admission = Admission(places=2, always=(), clock=lambda: now)
    with_token = [(b"authorization", b"x")]

    def arrive(many: int) -> int:
        """Return how many of so many are admitted."""
        places = [admission.place_for("/v1/sessions", with_token) for _ in range(many)]
        return sum(place.take() is None for place in places)

    assert arrive(10) == 8
    admission.taken = 3
    now += 0.1
    assert arrive(1) == 1
    now += 0.2
    assert arrive(1) == 0
    # Some have gone, and as many come as before: it is no new burst.
    admission.taken = 1
    now += 0.5
    assert arrive(3) == 1
    admission.taken = 0
    now += 2
    assert arrive(10) == 8


def test_whoever_is_still_sending_or_reading_takes_no_place() -> None:
    """A slow sender must not keep out the others, however many there are."""
    admission = Admission(places=1, always=())
    context = SimpleNamespace(admission=admission, body_limits={"": BodyLimits(1000)})
    app = SimpleNamespace(state=SimpleNamespace(context=context))
    taken = []

    async def handler(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            taken.append(admission.taken)
        taken.append(admission.taken)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        taken.append(admission.taken)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def run() -> None:
        parts = iter([(b"[", True), (b"]", False)])

        async def receive() -> Message:
            body, more = next(parts)
            return {"type": "http.request", "body": body, "more_body": more}

        async def send(_: Message) -> None:
            pass

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/sessions",
            "headers": [(b"authorization", b"x"), (b"content-type", b"application/json")],
            "app": app,
            ARRIVED: Arrived(0.0, b"id"),
        }
        await RequestMiddleware(handler)(scope, receive, send)

    asyncio.run(run())
    assert taken == [0, 1, 0]
    assert admission.taken == 0
