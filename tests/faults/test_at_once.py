"""Several devices at the same moment: every record once, and no request waits forever."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from tests.faults.stored_records import assert_stored
from tests.faults.test_lost_answers import Devices, a_week
from tests.support.offline import QueuedRecord
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.chaos

Result = TypeVar("Result")
THREADS = 50


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Send all requests at the same moment."""
    barrier = threading.Barrier(len(calls), timeout=PATIENCE_SECONDS)

    def call(one: Callable[[], Result]) -> Result:
        barrier.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_the_same_batch_from_two_devices_at_once_is_stored_once(
    devices: Devices, database_url: str
) -> None:
    everything: list[QueuedRecord] = []
    for _ in range(5):
        week = a_week(devices[0])
        # The second device has it in another order, as a restored copy may.
        one, other = at_once(
            [lambda: devices[0].post_batch(week), lambda: devices[1].post_batch(week[::-1])]  # noqa: B023
        )
        statuses = Counter(
            (receipt["id"], receipt["status"]) for receipts in (one, other) for receipt in receipts
        )
        for _, body in week:
            assert statuses[body["id"], "created"] == 1
            assert statuses[body["id"], "duplicate"] == 1
        everything += week
    assert_stored(database_url, devices[0], everything)


def test_fifty_posts_of_one_batch_at_the_same_moment_store_it_once(
    devices: Devices, database_url: str
) -> None:
    week = a_week(devices[0])
    answers = at_once([lambda: devices[0].post_batch(week)] * THREADS)
    statuses = Counter(receipt["status"] for receipts in answers for receipt in receipts)
    assert statuses == {"created": len(week), "duplicate": (THREADS - 1) * len(week)}
    # All of one batch: the first request stored it completely.
    created = [any(receipt["status"] == "created" for receipt in answer) for answer in answers]
    assert created.count(True) == 1
    assert_stored(database_url, devices[0], week)


def test_a_deletion_and_uploads_of_the_same_record_at_once_leave_it_deleted(
    devices: Devices, database_url: str
) -> None:
    for _ in range(5):
        body = devices[0].session()
        devices[0].post_session(body)
        path = f"/v1/sessions/{body['id']}"
        statuses = at_once(
            [
                lambda: devices[1].call("DELETE", path).status_code,  # noqa: B023
                *[lambda: devices[0].post_session(body).status_code] * 4,  # noqa: B023
            ]
        )
        assert statuses == [204, 200, 200, 200, 200]
    assert_stored(database_url, devices[0], [])


def test_concurrent_erasures_from_two_devices_erase_everything(devices: Devices) -> None:
    devices[0].post_batch(a_week(devices[0]))
    one, other = devices
    statuses = at_once(
        [
            lambda: one.call("DELETE", "/v1/me").status_code,
            lambda: other.call("DELETE", "/v1/me").status_code,
        ]
    )
    assert sorted(statuses) == [200, 410]
    assert [device.get("/v1/me").status_code for device in devices] == [410, 410]
