"""Fifty devices at once, against a real server process: one row."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api.journal.models import ExerciseSession, StoredDecision, SymptomReport
from tests.core.stored import rows
from tests.support import databases
from tests.support.device import Device
from tests.support.server import running_server

pytestmark = pytest.mark.chaos

THREADS = 50


@pytest.fixture(scope="module", params=databases.KINDS)
def database_url(
    request: pytest.FixtureRequest, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("exactly-once")
    with databases.fresh_database(request.param, templates, folder) as url:
        yield url


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Connect to a server process on a database of its own."""
    folder = tmp_path_factory.mktemp("server")
    limits = httpx.Limits(max_connections=THREADS)
    with (
        # However slow the machine: this is about what is stored, not about how soon.
        running_server(
            database_url,
            folder,
            database_timeout_seconds="60",
            max_requests_in_progress=str(THREADS),
        ) as server,
        httpx.Client(base_url=server.url, limits=limits, timeout=60) as client,
    ):
        yield client


def test_fifty_uploads_of_one_record_at_the_same_moment_store_it_once(
    client: httpx.Client, database_url: str
) -> None:
    device = Device(client)
    device.enrol()
    barrier = threading.Barrier(THREADS)
    session, report = device.session(), device.report({"radiating_pain": "left"})

    def upload(_: int) -> tuple[httpx.Response, httpx.Response]:
        barrier.wait()
        return device.post_session(session), device.post_report(report)

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(upload, range(THREADS)))
    for responses in zip(*answers, strict=True):
        statuses = Counter(response.status_code for response in responses)
        assert statuses == {201: 1, 200: THREADS - 1}
        assert len({response.text for response in responses}) == 1
    assert [item["id"] for item in device.get("/v1/sessions").json()["items"]] == [session["id"]]
    for table in (ExerciseSession, SymptomReport, StoredDecision):
        mine = [
            row
            for row in rows(database_url, table)
            if str(row["participant_id"]) == device.participant_id
        ]
        assert len(mine) == 1, table.__tablename__


def test_of_fifty_contents_under_one_id_one_is_stored_and_the_others_conflict(
    client: httpx.Client,
) -> None:
    device = Device(client)
    device.enrol()
    barrier = threading.Barrier(THREADS)
    session = device.session()

    def upload(number: int) -> int:
        barrier.wait()
        return device.post_session(session | {"note": f"Device {number}."}).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = Counter(pool.map(upload, range(THREADS)))
    assert statuses == {201: 1, 409: THREADS - 1}
    (stored,) = device.get("/v1/sessions").json()["items"]
    assert stored["id"] == session["id"]


def test_concurrent_uploads_of_several_participants_are_all_stored(client: httpx.Client) -> None:
    barrier = threading.Barrier(10)

    def upload(_: int) -> tuple[int, int]:
        device = Device(client)
        device.enrol()
        barrier.wait()
        posted = [device.post_session(device.session()).status_code for _ in range(5)]
        return posted.count(201), len(device.get("/v1/sessions").json()["items"])

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(upload, range(10))) == [(5, 5)] * 10
