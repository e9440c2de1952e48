"""Ana is a week in the mountains without a line, then loses her old phone, and goes on."""

import datetime
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.stored_records import assert_stored
from tests.support.device import Json
from tests.support.offline import OfflineDevice, QueuedRecord
from tests.support.server import running_server


def a_week_away(old: OfflineDevice, now: datetime.datetime) -> Json:
    """Fill the queue of a phone; return what of it the server can't know yet."""
    a_week_ago = now - datetime.timedelta(days=7)
    # Every day she exercises. On the third day the pain goes down into the leg.
    for day in range(7):
        old.now = a_week_ago + datetime.timedelta(days=day)
        old.queue.append(("session", old.session(pain_before=6, pain_after=5 if day else 8)))
        answers = {"radiating_pain": "left"} if day == 2 else {}
        old.queue.append(("symptom_report", old.report(answers, pain_score=3 if day < 6 else 6)))
    # On the last evening she corrects what she had mistyped on the first.
    first = old.queue[0][1]
    corrected = {**first, "id": str(uuid.uuid4()), "replaces": first["id"], "pain_after": 4}
    old.queue.append(("session", corrected))
    # A newer version of the app wrote something that this server does not know yet.
    strange = old.session(items=[{"activity_id": "toe-yoga", "kind": "exercise", "side": "both"}])
    old.queue.insert(3, ("session", strange))
    return strange


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    with (
        running_server(database_url, tmp_path) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client


def test_a_week_offline_then_two_devices(server: httpx.Client, database_url: str) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    # Ana enrols before she leaves, and writes the recovery code down.
    old = OfflineDevice(server)
    code = old.enrol(time_zone="Europe/Madrid", language="es")["recovery_code"]

    # A week without a line.
    strange = a_week_away(old, now)
    everything: list[QueuedRecord] = [entry for entry in old.queue if entry[1] is not strange]

    # Down in the valley there is a connection again: one request, and one receipt for each record.
    receipts = old.upload()
    refused = [receipt for receipt in receipts if receipt["status"] != "created"]
    assert [(receipt["id"], receipt["action"]) for receipt in refused] == [
        (strange["id"], "retry_later")
    ]
    assert old.queue == [("session", strange)]
    levels = [receipt["decision_level"] for receipt in receipts if receipt["decision_level"]]
    assert levels.count("see_professional") >= 1

    # All seven days count, by her own dates, and the correction counts once.
    progress = old.get("/v1/me/progress").json()
    assert progress["sessions_total"] == 7
    assert progress["active_days_total"] == 7
    assert progress["streak"]["days"] >= 6
    # The radiating pain pauses the activities until a professional has seen her.
    assert progress["activities"]["status"] in {"pause", "stop"}

    # She buys a new phone: the code brings everything back.
    new = OfflineDevice(server)
    new.link(code)
    new.fetch_all()
    old.fetch_all()
    assert new.held == old.held
    assert_stored(database_url, new, everything)
    assert new.get("/v1/me/progress").json() == progress

    # Both phones go on. The new one clears the pause, the old one is used once more, offline.
    clearance = {"id": str(uuid.uuid4()), "cleared_at": now.isoformat()}
    new.queue.append(("clearance", clearance))
    new.upload()
    old.now = now
    late = old.session()
    old.queue.append(("session", late))
    new.fetch_all()
    deleted = everything[2]
    assert new.call("DELETE", f"/v1/sessions/{deleted[1]['id']}").status_code == 204
    receipts = old.upload([*old.queue, deleted])
    assert [(receipt["id"], receipt["status"], receipt["code"]) for receipt in receipts] == [
        (strange["id"], "rejected", "unknown_activity"),
        (late["id"], "created", None),
        (deleted[1]["id"], "duplicate", "deleted"),
    ]
    everything = [entry for entry in everything if entry is not deleted]
    everything += [("clearance", clearance), ("session", late)]

    # What one phone did, the other learns; both hold what the server holds, each record once.
    for phone in (old, new):
        phone.fetch_all()
        assert set(phone.reconcile().values()) <= {"present", "missing"}
    assert old.held == new.held
    assert_stored(database_url, new, everything)
    assert new.get("/v1/me/progress").json()["activities"]["status"] == "continue"

    # The old phone is lost for good; she ends it from the new one.
    lost = [device for device in new.get("/v1/devices").json()["items"] if not device["current"]]
    for device in lost:
        assert new.call("DELETE", f"/v1/devices/{device['device_id']}").status_code == 204
    assert old.post_session(old.session()).status_code == 401
    assert_stored(database_url, new, everything)
