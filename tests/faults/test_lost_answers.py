"""The network fails at the worst moment: after the commit, before the response; or earlier."""

import datetime
import random
import uuid

import httpx
import pytest

from tests.faults.stored_records import assert_stored
from tests.support.bad_network import BadNetwork
from tests.support.device import Json
from tests.support.offline import PATHS, OfflineDevice, QueuedRecord

pytestmark = pytest.mark.chaos

Devices = tuple[OfflineDevice, OfflineDevice]


def clearance(device: OfflineDevice) -> Json:
    return {"id": str(uuid.uuid4()), "cleared_at": device.now.isoformat()}


def a_week(device: OfflineDevice) -> list[QueuedRecord]:
    """Make what a person did in a week without a network."""
    entries: list[QueuedRecord] = []
    for day in range(7):
        device.now = datetime.datetime(2026, 11, 2 + day, 10, tzinfo=datetime.UTC)
        entries.append(("session", device.session()))
        entries.append(("symptom_report", device.report(pain_score=3 + day % 3)))
    entries.append(("clearance", clearance(device)))
    return entries


@pytest.mark.parametrize("kind", PATHS)
def test_a_record_whose_response_was_lost_is_stored_once_and_returned_again(
    devices: Devices, network: BadNetwork, database_url: str, kind: str
) -> None:
    device, _ = devices
    body = {
        "session": device.session,
        "symptom_report": device.report,
        "clearance": lambda: clearance(device),
    }[kind]()
    with network.losing_answers():
        device.call("POST", PATHS[kind], body)
    assert network.answers_lost == 1
    assert_stored(database_url, device, [(kind, body)])
    assert device.call("POST", PATHS[kind], body).status_code == 200
    assert_stored(database_url, device, [(kind, body)])


def test_a_batch_whose_receipts_were_lost_gets_them_again(
    devices: Devices, network: BadNetwork, database_url: str
) -> None:
    device, _ = devices
    week = a_week(device)
    for _ in range(3):
        with network.losing_answers():
            device.post_batch(week)
    receipts = device.post_batch(week)
    assert {receipt["status"] for receipt in receipts} == {"duplicate"}
    assert {receipt["action"] for receipt in receipts} == {"none"}
    assert_stored(database_url, device, week)


def test_an_interrupted_batch_stores_nothing_and_succeeds_when_repeated(
    devices: Devices, network: BadNetwork, database_url: str
) -> None:
    device, _ = devices
    week = a_week(device)
    for number in (100, 1_000, 3_000):
        with network.breaking_after(number):
            device.post_batch(week)
        assert_stored(database_url, device, [])
    assert {receipt["status"] for receipt in device.post_batch(week)} == {"created"}
    assert_stored(database_url, device, week)


def test_a_deletion_whose_answer_was_lost_is_done_and_stays_done(
    devices: Devices, network: BadNetwork, database_url: str
) -> None:
    device, other = devices
    body = device.session()
    device.post_session(body)
    other.fetch_all()
    with network.losing_answers():
        device.call("DELETE", f"/v1/sessions/{body['id']}")
    assert device.call("DELETE", f"/v1/sessions/{body['id']}").status_code == 204
    assert device.post_session(body).json()["deleted"] is True
    assert_stored(database_url, device, [])
    other.fetch_all()
    assert other.held == {}


def test_a_lost_new_token_locks_no_device_out(devices: Devices, network: BadNetwork) -> None:
    device, _ = devices
    for _ in range(3):
        with network.losing_answers():
            device.call("POST", "/v1/devices/current/rotate")
    assert device.post_session(device.session()).status_code == 201
    old = device.headers
    device.token = device.call("POST", "/v1/devices/current/rotate").json()["device_token"]
    with network.losing_answers():
        device.post_session(device.session())
    assert device.get("/v1/me").status_code == 200
    assert device.client.get("/v1/me", headers=old).status_code == 401


def test_records_in_any_order_are_the_same_week(devices: Devices, database_url: str) -> None:
    device, _ = devices
    week = a_week(device)
    together = device.post_batch(week)
    expected = device.get("/v1/me/progress").json()
    for seed in range(3):
        other = OfflineDevice(device.client)
        other.enrol()
        shuffled = random.Random(seed).sample(week, len(week))  # noqa: S311  # the same in every run
        for start in range(0, len(week), 4):
            other.post_batch(shuffled[start : start + 4])
        assert_stored(database_url, other, week)
        assert other.get("/v1/me/progress").json() == expected
        levels = {receipt["id"]: receipt["decision_level"] for receipt in other.post_batch(week)}
        assert levels == {receipt["id"]: receipt["decision_level"] for receipt in together}


@pytest.mark.parametrize("hours", [-23, 23])
def test_a_clock_that_is_a_day_off_loses_nothing(
    devices: Devices, database_url: str, hours: int
) -> None:
    device, _ = devices
    device.now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    batch: list[QueuedRecord] = [("session", device.session()), ("symptom_report", device.report())]
    response = device.call(
        "POST",
        "/v1/batches",
        {
            "device_time": device.now.isoformat(),
            "sessions": [batch[0][1]],
            "symptom_reports": [batch[1][1]],
        },
    )
    assert {receipt["status"] for receipt in response.json()["receipts"]} == {"created"}
    # It is reported to the device, so that the app can warn its user.
    assert abs(response.json()["clock_skew_seconds"] - hours * 3600) < 120
    device.now = datetime.datetime.now(datetime.UTC)
    batch.append(("session", device.session()))
    assert device.post_batch(batch)[1]["status"] == "created"
    assert_stored(database_url, device, batch)


def test_a_journey_to_another_zone_and_language_changes_no_record(
    devices: Devices, network: BadNetwork, database_url: str
) -> None:
    device, _ = devices
    at_home = a_week(device)
    with network.losing_answers():
        device.post_batch(at_home, **{"Accept-Language": "en"})
    device.now = datetime.datetime(2026, 11, 10, 23, 30, tzinfo=datetime.UTC)
    abroad = device.session(time_zone="Pacific/Auckland", local_date="2026-11-11")
    everything: list[QueuedRecord] = [*at_home, ("session", abroad)]
    receipts = device.post_batch(everything, **{"Accept-Language": "es"})
    new = [receipt["id"] for receipt in receipts if receipt["status"] == "created"]
    assert new == [abroad["id"]]
    assert_stored(database_url, device, everything)
    # A decision stays in the language in which it was shown; the dates stay the person's own.
    reports = device.get("/v1/symptom-reports").json()["items"]
    assert {report["decision"]["language"] for report in reports} == {"en"}
    stored = device.get(f"/v1/sessions/{abroad['id']}").json()
    assert (stored["local_date"], stored["time_zone"]) == ("2026-11-11", "Pacific/Auckland")


def test_a_token_revoked_between_two_uploads_stores_nothing_more(
    devices: Devices, database_url: str
) -> None:
    lost, kept = devices
    first, second = a_week(lost), a_week(lost)
    lost.post_batch(first)
    assert kept.call("DELETE", f"/v1/devices/{device_of(lost)}").status_code == 204
    refused: list[httpx.Response] = [
        lost.call("POST", "/v1/batches", {"sessions": [body for _, body in second[::2][:7]]}),
        lost.post_session(lost.session()),
        lost.get("/v1/changes"),
        lost.call("DELETE", f"/v1/sessions/{first[0][1]['id']}"),
    ]
    assert [response.status_code for response in refused] == [401] * 4
    assert "WWW-Authenticate" in refused[0].headers
    assert_stored(database_url, kept, first)
    # What it could not send is not lost: linked again, it continues where it stopped.
    lost.link(kept.call("POST", "/v1/me/recovery-code").json()["recovery_code"])
    assert {receipt["status"] for receipt in lost.post_batch(second)} == {"created"}
    assert_stored(database_url, kept, first + second)


def device_of(device: OfflineDevice) -> uuid.UUID:
    return uuid.UUID(device.token.split("_")[2])
