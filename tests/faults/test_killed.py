"""The server dies at any moment, as in a power cut; what it had acknowledged is there."""

import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import SETTINGS
from tests.faults.stored_records import assert_stored, stored_ids
from tests.support.budget import budget
from tests.support.offline import OfflineDevice, QueuedRecord, key_of
from tests.support.postgres import free_port
from tests.support.server import running_server

# So often the server has to die before it has answered, within so many attempts.
DEATHS, ATTEMPTS = budget(quick=(2, 8), full=(20, 80))
pytestmark = pytest.mark.chaos

SOONEST, LATEST = 0.05, 1.0


def five_hundred(device: OfflineDevice) -> list[QueuedRecord]:
    return [
        *(("session", device.session()) for _ in range(440)),
        *(("symptom_report", device.report(pain_score=number % 7)) for number in range(50)),
        *(
            ("clearance", {"id": str(uuid.uuid4()), "cleared_at": device.now.isoformat()})
            for _ in range(10)
        ),
    ]


def test_a_server_killed_within_a_batch_of_five_hundred_loses_nothing_and_doubles_nothing(
    own_database: str, tmp_path: Path
) -> None:
    moments = random.Random()  # noqa: S311  # other moments in every run: they are what is tested
    port = free_port()
    acknowledged: list[QueuedRecord] = []
    outcomes: Counter[str] = Counter()
    latest = LATEST
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        device = OfflineDevice(client)
        waiting: list[QueuedRecord] = []
        while outcomes["no answer"] < DEATHS and outcomes.total() < 2 * ATTEMPTS:
            with running_server(own_database, tmp_path, port, **SETTINGS) as server:
                if not device.token:
                    device.enrol()
                if waiting:
                    acknowledged += settle(device, waiting)
                    assert_stored(own_database, device, acknowledged)
                single = device.session()
                assert device.post_session(single).status_code == 201
                acknowledged.append(("session", single))
                waiting = five_hundred(device)
                killer = threading.Timer(moments.uniform(SOONEST, latest), server.kill)
                started = time.monotonic()
                killer.start()
                try:
                    device.post_batch(waiting)
                    outcomes["answered"] += 1
                    latest = min(latest, time.monotonic() - started)
                except httpx.TransportError:
                    outcomes["no answer"] += 1
                killer.join()
            stored = set(stored_ids(own_database, device))
            # All of the batch, or nothing of it.
            of_batch = stored & set(map(key_of, waiting))
            assert len(of_batch) in {0, len(waiting)}
            outcomes["stored" if of_batch else "not stored"] += 1
            assert stored - of_batch == set(map(key_of, acknowledged))
        with running_server(own_database, tmp_path, port, **SETTINGS):
            acknowledged += settle(device, waiting)
            assert_stored(own_database, device, acknowledged)
    assert outcomes["no answer"] == DEATHS, outcomes


def settle(device: OfflineDevice, waiting: list[QueuedRecord]) -> list[QueuedRecord]:
    """Send again what got no receipts."""
    receipts = device.post_batch(waiting)
    # All of them are new, or none.
    assert {receipt["status"] for receipt in receipts} in ({"created"}, {"duplicate"})
    return waiting
