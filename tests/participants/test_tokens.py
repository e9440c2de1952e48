"""Tokens: one participant, one device, and the same answer for everything that fails."""

import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.core.tokens import hash_secret
from api.participants.tokens import DeviceToken, make_token, read_token
from tests.core.stored import execute
from tests.support.device import Device

Problem = dict[str, Any]
SOME_ID = "01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"


def get_me(client: TestClient, authorization: str) -> tuple[int, Problem, str | None]:
    response = client.get("/v1/me", headers={"Authorization": authorization})
    problem = response.json()
    problem.pop("request_id", None)
    return response.status_code, problem, response.headers.get("WWW-Authenticate")


def test_the_response_to_a_request_without_a_token_says_how_to_send_one(client: TestClient) -> None:
    response = client.get("/v1/me")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["code"] == "not_authenticated"
    assert "Authorization: Bearer" in response.json()["detail"]


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer fp_",
        "Bearer fp_1_2_3",
        "Bearer " + "x" * 5000,
        "Basic dXNlcjpwYXNz",
        "fp_" + "0" * 32 + "_" + "0" * 32 + "_" + "0" * 64,
        "Bearer fp_" + "0" * 32 + "_" + "0" * 32 + "_" + "0" * 64,
        "Bearer fp_" + "0" * 32 + "_" + "0" * 32 + "_" + "G" * 64,
        "Bearer FP_" + "0" * 32 + "_" + "0" * 32 + "_" + "0" * 64,
    ],
)
def test_an_invalid_token_is_rejected(client: TestClient, authorization: str) -> None:
    status, problem, challenge = get_me(client, authorization)
    assert status == 401
    assert problem["code"] == "not_authenticated"
    assert challenge is not None
    assert challenge.startswith("Bearer")


def test_a_token_in_the_query_string_is_ignored(device: Device) -> None:
    for name in ("token", "access_token", "device_token"):
        response = device.client.get("/v1/me", params={name: device.token})
        assert response.status_code == 401


def test_whatever_fails_in_a_token_gets_the_same_answer(
    device: Device, client: TestClient, database_url: str
) -> None:
    other = Device(client)
    other.enrol()
    mine, theirs = read_token(device.token), read_token(other.token)
    assert mine is not None
    assert theirs is not None
    wrong = [
        DeviceToken(mine.participant_id, mine.device_id, theirs.secret),
        DeviceToken(theirs.participant_id, mine.device_id, mine.secret),
        DeviceToken(theirs.participant_id, theirs.device_id, mine.secret),
        DeviceToken(mine.participant_id, theirs.device_id, theirs.secret),
        make_token(mine.participant_id, uuid.uuid4()),
        make_token(uuid.uuid4(), uuid.uuid4()),
    ]
    execute(
        database_url,
        "UPDATE device SET revoked_at = '2026-11-22 11:00:00'"
        f" WHERE device_id = '{theirs.device_id.hex}'",
    )
    answers = [get_me(client, f"Bearer {token}") for token in (*wrong, theirs, "fp_1_2_3")]
    assert answers[0][0] == 401
    assert [answer for answer in answers if answer != answers[0]] == []
    assert device.get("/v1/me").status_code == 200


def test_a_revoked_device_is_rejected_immediately(device: Device, database_url: str) -> None:
    assert device.get("/v1/me").status_code == 200
    execute(database_url, "UPDATE device SET revoked_at = '2026-11-22 11:00:00'")
    assert device.get("/v1/me").status_code == 401
    assert device.post_session(device.session()).status_code == 401


def test_a_clinicians_key_cannot_be_used_for_participant_endpoints(device: Device) -> None:
    for path in ("/v1/me", "/v1/sessions", "/v1/symptom-reports"):
        response = device.client.get(path, headers={"Authorization": f"Bearer fc_{'0' * 64}"})
        assert response.status_code == 403
        assert response.json()["code"] == "wrong_token_kind"
    response = device.client.post(
        "/v1/sessions",
        json=device.session(),
        headers={"Authorization": f"Bearer fc_{'0' * 64}"},
    )
    assert response.status_code == 403


def test_the_scheme_may_be_written_in_any_case(device: Device) -> None:
    status, profile, _ = get_me(device.client, f"bearer {device.token}")  # type: ignore[arg-type]
    assert status == 200
    assert profile["participant_id"] == device.participant_id


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions"),
        ("POST", "/v1/symptom-reports"),
        ("GET", "/v1/symptom-reports"),
        ("GET", f"/v1/sessions/{SOME_ID}"),
        ("GET", f"/v1/symptom-reports/{SOME_ID}"),
    ],
)
def test_participant_endpoints_require_a_token(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, path, json={} if method == "POST" else None)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_read_back_as_it_was_written() -> None:
    token = make_token(uuid.uuid4(), uuid.uuid4())
    assert read_token(str(token)) == token
    assert token.matches(hash_secret(token.secret))
    assert not token.matches(hash_secret(token.secret[:-1] + "g"))
    assert not token.matches("")


def test_a_token_with_anything_around_it_is_none() -> None:
    token = str(make_token(uuid.uuid4(), uuid.uuid4()))
    for text in (f" {token}", f"{token} ", token.upper(), token[:-1], f"{token}0"):
        assert read_token(text) is None, repr(text)
