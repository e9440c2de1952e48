"""Devices: a bad connection locks no device out, and a lost one is revoked immediately."""

from typing import Any

import httpx
from starlette.testclient import TestClient

from api.participants.recovery import make_recovery_code
from tests.conftest import AppMaker
from tests.support.clock import FakeClock
from tests.support.device import Device

Json = dict[str, Any]


def link(client: httpx.Client, code: str) -> httpx.Response:
    return client.post("/v1/devices", json={"recovery_code": code})


def test_a_recovery_code_links_a_second_device_to_the_same_participant(client: TestClient) -> None:
    first = Device(client)
    code = first.enrol()["recovery_code"]
    body = first.session()
    first.post_session(body)
    response = link(client, code.lower().replace("-", " "))
    assert response.status_code == 201
    second = Device(client)
    second.token = response.json()["device_token"]
    assert second.get(f"/v1/sessions/{body['id']}").status_code == 200
    devices = second.get("/v1/devices").json()["items"]
    assert [device["current"] for device in devices].count(True) == 1
    assert len(devices) == 2


def test_a_code_may_be_used_more_than_once(client: TestClient) -> None:
    code = Device(client).enrol()["recovery_code"]
    assert [link(client, code).status_code for _ in range(3)] == [201, 201, 201]


def test_a_renewed_code_ends_the_one_before(client: TestClient) -> None:
    device = Device(client)
    old = device.enrol()["recovery_code"]
    new = client.post("/v1/me/recovery-code", headers=device.headers).json()["recovery_code"]
    assert link(client, old).status_code == 401
    assert link(client, new).status_code == 201


def test_a_typing_error_is_distinguished_from_a_wrong_code(client: TestClient) -> None:
    code = Device(client).enrol()["recovery_code"]
    mistyped = ("A" if code[0] != "A" else "B") + code[1:]
    response = link(client, mistyped)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "mistyped_code"
    assert link(client, str(make_recovery_code())).status_code == 401


def test_guesses_are_limited_in_the_database_and_the_right_code_waits_too(
    database_url: str, make_client: AppMaker, clock: FakeClock
) -> None:
    client = make_client(database_url=database_url, rate_limit_enrolment="1000/minute")
    code = Device(client).enrol()["recovery_code"]
    locator = code.replace("-", "")[:8]
    other = make_recovery_code()
    wrong = str(type(other)(locator, other.secret))
    assert [link(client, wrong).status_code for _ in range(5)] == [401] * 5
    locked = link(client, code)
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) == 60
    clock.advance(seconds=61)
    assert link(client, wrong).status_code == 401
    assert int(link(client, code).headers["Retry-After"]) == 120
    clock.advance(seconds=121)
    assert link(client, code).status_code == 201
    assert link(client, wrong).status_code == 401


def test_a_revoked_device_is_rejected_immediately_and_the_other_is_not(client: TestClient) -> None:
    first = Device(client)
    enrolled = first.enrol()
    second = Device(client)
    second.token = link(client, enrolled["recovery_code"]).json()["device_token"]
    lost = enrolled["device_id"]
    for _ in range(2):
        revoked = client.delete(f"/v1/devices/{lost}", headers=second.headers)
        assert revoked.status_code == 204
    assert first.get("/v1/me").status_code == 401
    assert first.post_session(first.session()).status_code == 401
    assert second.get("/v1/me").status_code == 200


def test_another_participants_device_cannot_be_revoked(device: Device, client: TestClient) -> None:
    other = Device(client)
    others = other.enrol()["device_id"]
    assert client.delete(f"/v1/devices/{others}", headers=device.headers).status_code == 404
    assert other.get("/v1/me").status_code == 200


def test_an_old_token_lives_until_the_new_one_is_first_used(device: Device) -> None:
    def rotate() -> str:
        response = device.client.post("/v1/devices/current/rotate", headers=device.headers)
        assert response.status_code == 200
        return str(response.json()["device_token"])

    lost_on_the_line = rotate()
    assert device.get("/v1/me").status_code == 200
    arrived = rotate()
    old = device.token
    device.token = lost_on_the_line
    assert device.get("/v1/me").status_code == 401
    device.token = arrived
    assert device.get("/v1/me").status_code == 200
    device.token = old
    assert device.get("/v1/me").status_code == 401
    device.token = arrived
    assert device.post_session(device.session()).status_code == 201
