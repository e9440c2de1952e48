"""Sessions: stored once, even on unreliable connections, and visible only to their participant."""

import datetime
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.device import Device


def test_a_finished_session_is_stored_and_returned_completely(device: Device) -> None:
    body = device.session(effort=3, note="Easier than yesterday.")
    response = device.post_session(body)
    assert response.status_code == 201
    stored = response.json()
    assert response.headers["Location"] == f"/v1/sessions/{body['id']}"
    assert stored["started_at"] == "2026-11-22T10:00:00Z"
    assert stored["ended_at"] == "2026-11-22T10:15:00Z"
    assert stored["received_at"] == "2026-11-22T12:00:00Z"
    assert stored["note"] == "Easier than yesterday."
    assert stored["items"][0] == {
        "activity_id": "toe-curls",
        "kind": "exercise",
        "side": "left",
        "seconds": 150,
        "sets": None,
        "repetitions": None,
        "target_seconds": None,
        "target_sets": None,
        "target_repetitions": None,
        "skipped": False,
    }
    assert device.get(f"/v1/sessions/{body['id']}").json() == stored


def test_a_retried_session_gets_the_first_response(device: Device) -> None:
    body = device.session()
    first = device.post_session(body)
    again = device.post_session(body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(device.get("/v1/sessions").json()["items"]) == 1


def test_the_same_content_written_differently_is_the_same_session(device: Device) -> None:
    body = device.session(effort=None)
    device.post_session(body)
    shouted = body | {
        "id": body["id"].upper(),
        "started_at": "2026-11-22T11:00:00.750+01:00",
        "ended_at": "2026-11-22t10:15:00z",
        "pain_before": 5.0,
    }
    del shouted["effort"]
    shouted["items"] = [item | {"skipped": False, "sets": None} for item in body["items"]]
    assert device.post_session(shouted).status_code == 200


def test_an_id_with_other_content_is_a_conflict_that_names_both_hashes(device: Device) -> None:
    body = device.session()
    stored = device.post_session(body).json()
    response = device.post_session(body | {"pain_after": 9})
    assert response.status_code == 409
    assert response.json()["code"] == "id_conflict"
    assert stored["content_hash"] in response.json()["detail"]
    assert device.get(f"/v1/sessions/{body['id']}").json()["pain_after"] == 4


def test_sessions_are_listed_newest_first_page_by_page(device: Device) -> None:
    for hour in (3, 1, 2, 5, 4):
        device.now = datetime.datetime(2026, 11, 22, hour, tzinfo=datetime.UTC)
        device.post_session(device.session())
    seen: list[str] = []
    cursor = None
    while True:
        page = device.get("/v1/sessions", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [item["started_at"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"2026-11-22T0{hour}:00:00Z" for hour in (5, 4, 3, 2, 1)]


def test_another_participants_session_is_not_found(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    body = other.session()
    other.post_session(body)
    assert device.get(f"/v1/sessions/{body['id']}").status_code == 404
    assert device.get("/v1/sessions").json()["items"] == []


def test_two_participants_may_use_the_same_id(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    body = device.session()
    assert device.post_session(body).status_code == 201
    assert other.post_session(body | {"pain_after": 1}).status_code == 201


BAD_SESSIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"started_at": "2026-11-22T10:00:00"}, "/started_at", "value_error"),
    ({"started_at": 1_700_000_000}, "/started_at", "value_error"),
    ({"local_date": "2026-11-22T00:00:00"}, "/local_date", "value_error"),
    ({"ended_at": "2026-11-22T09:00:00Z"}, "/ended_at", "ends_before_start"),
    ({"pain_after": 11}, "/pain_after", "less_than_equal"),
    ({"pain_after": True}, "/pain_after", "value_error"),
    ({"pain_after": "4"}, "/pain_after", "value_error"),
    ({"pain_after": 4.5}, "/pain_after", "int_from_float"),
    ({"mood": "fine"}, "/mood", "unknown_field"),
    ({"status": "done"}, "/status", "literal_error"),
    ({"id": "not-a-uuid"}, "/id", "value_error"),
    ({"note": "x" * 501}, "/note", "string_too_long"),
    ({"note": "a\u0000b"}, "/note", "value_error"),
    ({"routine_id": "No Slug"}, "/routine_id", "string_pattern_mismatch"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), BAD_SESSIONS)
def test_an_invalid_field_is_named_and_nothing_is_stored(
    device: Device, change: dict[str, Any], pointer: str, code: str
) -> None:
    response = device.post_session(device.session(**change))
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        (pointer, code)
    ]
    assert device.get("/v1/sessions").json()["items"] == []


def test_a_session_far_in_the_future_is_refused_and_one_from_a_fast_clock_is_not(
    device: Device,
) -> None:
    device.now += datetime.timedelta(hours=20)
    assert device.post_session(device.session()).status_code == 201
    device.now += datetime.timedelta(hours=20)
    response = device.post_session(device.session())
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "in_the_future"


def test_an_unknown_activity_is_named_by_its_place(device: Device) -> None:
    items = [{"activity_id": "hand-stand", "kind": "exercise", "side": "both"}]
    response = device.post_session(device.session(items=items))
    assert response.json()["errors"] == [
        {
            "pointer": "/items/0/activity_id",
            "code": "unknown_activity",
            "message": "Unknown activity `hand-stand`.",
        }
    ]


def test_a_time_zone_the_server_does_not_know_is_stored_as_it_is(device: Device) -> None:
    response = device.post_session(device.session(time_zone="Mars/Olympus_Mons"))
    assert response.status_code == 201
    assert response.json()["time_zone"] == "Mars/Olympus_Mons"


def test_a_body_without_an_end_to_its_lists_is_refused_before_it_is_parsed(device: Device) -> None:
    headers = {**device.headers, "Content-Type": "application/json"}
    response = device.client.post("/v1/sessions", content=b"[" * 100_000, headers=headers)
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_complex"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"", b"null", b"[]", b'"x"'])
def test_a_body_that_is_not_a_session_is_a_problem(device: Device, body: bytes) -> None:
    headers = {**device.headers, "Content-Type": "application/json"}
    response = device.client.post("/v1/sessions", content=body, headers=headers)
    assert response.status_code == 422
    assert response.json()["code"] in {"malformed_json", "invalid_request"}


def test_a_lone_surrogate_is_refused(device: Device) -> None:
    raw = b'{"id": "%s", "note": "\\ud800"}' % str(uuid.uuid4()).encode()
    headers = {**device.headers, "Content-Type": "application/json"}
    response = device.client.post("/v1/sessions", content=raw, headers=headers)
    assert response.status_code == 422
    assert "/note" in {error["pointer"] for error in response.json()["errors"]}
