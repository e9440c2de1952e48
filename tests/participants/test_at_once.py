"""A participant's data changed from several devices at once, against a real server process."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api.journal.models import ExerciseSession
from api.participants.models import ConsentRecord, RecordedChange
from tests.core.stored import rows
from tests.support import databases
from tests.support.device import CONSENT_VERSION, Device
from tests.support.server import running_server
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.chaos

THREADS = 20


@pytest.fixture(scope="module", params=databases.KINDS)
def database_url(
    request: pytest.FixtureRequest, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("at-once")
    with databases.fresh_database(request.param, templates, folder) as url:
        yield url


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Connect to a server process on a database of its own."""
    folder = tmp_path_factory.mktemp("server")
    limits = httpx.Limits(max_connections=THREADS)
    patient = {"database_timeout_seconds": "60", "rate_limit_enrolment": "1000/minute"}
    with (
        running_server(database_url, folder, **patient) as server,
        httpx.Client(base_url=server.url, limits=limits, timeout=60) as client,
    ):
        yield client


def at_once(work: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    barrier = threading.Barrier(THREADS, timeout=PATIENCE_SECONDS)

    def run(number: int) -> httpx.Response:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def enrolled(client: httpx.Client) -> Device:
    device = Device(client)
    device.enrol()
    return device


def numbers(database_url: str, device: Device) -> list[int]:
    mine = [
        row
        for row in rows(database_url, RecordedChange)
        if str(row["participant_id"]) == device.participant_id
    ]
    return sorted(row["number"] for row in mine)


def test_changes_of_the_profile_are_numbered_without_gaps(
    client: httpx.Client, database_url: str
) -> None:
    device = enrolled(client)
    answers = at_once(lambda number: device.patch("/v1/me", {"language": f"es-{number:03}"}))
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["language"] for answer in answers] == [
        f"es-{number:03}" for number in range(THREADS)
    ]
    assert numbers(database_url, device) == list(range(1, THREADS + 1))


def test_of_many_that_replace_the_same_schedule_one_gets_through(client: httpx.Client) -> None:
    device = enrolled(client)
    tag = device.put("/v1/me/schedule", device.schedule()).headers["ETag"]
    answers = at_once(
        lambda number: device.put(
            "/v1/me/schedule", device.schedule(times=[f"09:{number:02}"]), **{"If-Match": tag}
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: THREADS - 1}
    (won,) = (answer for answer in answers if answer.status_code == 200)
    assert device.get("/v1/me/schedule").json() == won.json()


def test_of_many_calendar_urls_created_at_once_one_is_valid(client: httpx.Client) -> None:
    device = enrolled(client)
    answers = at_once(lambda _: device.post("/v1/me/schedule/feed"))
    assert {answer.status_code for answer in answers} == {201}
    found = Counter(client.get(answer.json()["path"]).status_code for answer in answers)
    assert found == {200: 1, 404: THREADS - 1}


def test_uploads_beside_a_withdrawal_are_stored_or_refused_and_answered_so(
    client: httpx.Client, database_url: str
) -> None:
    device = enrolled(client)
    no = {"version": CONSENT_VERSION, "storage": False, "research": False}

    def work(number: int) -> httpx.Response:
        if number == THREADS // 2:
            return device.put("/v1/me/consent", no)
        return device.post_session(device.session())

    answers = at_once(work)
    withdrawn = answers.pop(THREADS // 2)
    assert withdrawn.status_code == 200
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() <= {201, 403}
    mine = [
        row
        for row in rows(database_url, ExerciseSession)
        if str(row["participant_id"]) == device.participant_id
    ]
    assert len(mine) == statuses[201]
    assert len(device.get("/v1/me/consent").json()["history"]) == 2


def test_the_same_choice_from_many_devices_is_stored_once(
    client: httpx.Client, database_url: str
) -> None:
    device = enrolled(client)
    yes = {"version": CONSENT_VERSION, "storage": True, "research": True}
    answers = at_once(lambda _: device.put("/v1/me/consent", yes))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    mine = [
        row["number"]
        for row in rows(database_url, ConsentRecord)
        if str(row["participant_id"]) == device.participant_id
    ]
    assert sorted(mine) == [1, 2]
    assert numbers(database_url, device) == [1]


def test_concurrent_first_requests_of_many_participants_all_succeed(client: httpx.Client) -> None:
    devices = [enrolled(client) for _ in range(THREADS)]
    answers = at_once(lambda number: devices[number].get("/v1/me"))
    assert {answer.status_code for answer in answers} == {200}
