"""The change feed: what one device uploads, the other one receives, once and in order."""

import uuid
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.participants.models import Participant, RecordedChange
from tests.core.stored import in_database
from tests.support.device import Device

Json = dict[str, Any]


def changes(device: Device, cursor: str | None = None, limit: int = 50) -> tuple[list[Json], str]:
    """Read all pages behind a cursor."""
    items: list[Json] = []
    while True:
        query: Json = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = device.get("/v1/changes", **query).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            assert cursor
            return items, cursor


def clear(device: Device, cleared_at: str = "2026-11-22T09:00:00Z") -> Json:
    body = {"id": device.session()["id"], "cleared_at": cleared_at}
    stored: Json = device.client.post("/v1/me/clearances", json=body, headers=device.headers).json()
    return stored


def test_a_new_device_gets_everything_in_the_order_it_was_stored(device: Device) -> None:
    session = device.post_session(device.session()).json()
    report = device.post_report(device.report({"radiating_pain": "left"})).json()
    clearance = clear(device)
    items, _ = changes(device)
    assert [(item["number"], item["kind"]) for item in items] == [
        (1, "session"),
        (2, "symptom_report"),
        (3, "clearance"),
    ]
    assert items[0]["session"] == session
    assert items[1]["symptom_report"] == report
    assert items[2]["clearance"] == clearance
    assert not any(item["deleted"] for item in items)
    assert items[0]["symptom_report"] is None


def test_a_cursor_brings_only_what_is_new(device: Device) -> None:
    device.post_session(device.session())
    _, cursor = changes(device)
    assert changes(device, cursor) == ([], cursor)
    later = device.post_session(device.session()).json()
    items, cursor = changes(device, cursor)
    assert [item["session"] for item in items] == [later]
    assert changes(device, cursor)[0] == []


def test_repeats_and_conflicts_change_nothing(device: Device) -> None:
    body = device.session()
    for _ in range(3):
        device.post_session(body)
    device.post_session(body | {"pain_after": 9})
    device.post_session(device.session(pain_after=99))
    assert len(changes(device)[0]) == 1


def test_pages_of_one_hold_the_same_as_one_page(device: Device) -> None:
    for _ in range(5):
        device.post_session(device.session())
    whole, end = changes(device)
    single, same_end = changes(device, limit=1)
    assert (single, same_end) == (whole, end)
    assert [item["number"] for item in whole] == [1, 2, 3, 4, 5]


def test_a_decision_made_again_arrives_with_its_report(device: Device) -> None:
    newer = device.report(pain_score=3)
    device.post_report(newer)
    _, cursor = changes(device)
    old = device.report(pain_score=3, reported_at="2026-09-01T10:00:00Z", local_date="2026-09-01")
    device.post_report(old)
    items, _ = changes(device, cursor)
    assert [item["id"] for item in items] == [old["id"], newer["id"]]
    decision = items[1]["symptom_report"]["decision"]
    assert decision["history_facts"] == ["persistent_in_history"]


def test_a_participant_never_gets_changes_of_another(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    other.post_session(other.session())
    assert changes(device)[0] == []
    _, foreign = changes(other)
    refused = device.get("/v1/changes", cursor=foreign)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "WyIxIl0", "W10", "4pyT", "WzEsMl0"])
def test_an_invalid_cursor_is_rejected(device: Device, cursor: str) -> None:
    refused = device.get("/v1/changes", cursor=cursor)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/query/cursor"


def test_a_cursor_ahead_of_a_restored_backup_is_refused(device: Device, database_url: str) -> None:
    device.post_session(device.session())
    device.post_session(device.session())
    _, ahead = changes(device)

    async def go_back(db: AsyncSession) -> None:
        await db.execute(delete(RecordedChange).where(col(RecordedChange.number) == 2))
        await db.execute(update(Participant).values(last_change=1))

    in_database(database_url, go_back)
    refused = device.get("/v1/changes", cursor=ahead)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "cursor_ahead")


def test_a_restored_server_that_has_gone_on_since_is_distinguished_from_the_old_one(
    device: Device, database_url: str
) -> None:
    for _ in range(2):
        device.post_session(device.session())
    _, cursor = changes(device)

    async def another_past(db: AsyncSession) -> None:
        second = update(RecordedChange).where(col(RecordedChange.number) == 2)
        await db.execute(second.values(record_id=uuid.uuid4()))

    in_database(database_url, another_past)
    refused = device.get("/v1/changes", cursor=cursor)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "cursor_ahead")


def reconcile(device: Device, *items: Json) -> list[Json]:
    body = {"items": list(items)}
    response = device.client.post("/v1/reconcile", json=body, headers=device.headers)
    assert response.status_code == 200, response.text
    answered: list[Json] = response.json()["items"]
    return answered


def test_reconciling_lists_what_is_present_missing_different_and_deleted(device: Device) -> None:
    stored = device.post_session(device.session()).json()
    gone = device.post_session(device.session()).json()
    device.client.delete(f"/v1/sessions/{gone['id']}", headers=device.headers)
    clearance = clear(device)
    other = "0" * 64
    answered = reconcile(
        device,
        {"kind": "session", "id": stored["id"], "content_hash": stored["content_hash"]},
        {"kind": "session", "id": stored["id"].upper(), "content_hash": other},
        {"kind": "session", "id": stored["id"]},
        {"kind": "symptom_report", "id": stored["id"], "content_hash": other},
        {"kind": "session", "id": gone["id"], "content_hash": gone["content_hash"]},
        {"kind": "clearance", "id": clearance["id"], "content_hash": clearance["content_hash"]},
    )
    expected = ["present", "different", "present", "missing", "deleted", "present"]
    assert [item["status"] for item in answered] == expected
    assert answered[1]["content_hash"] == stored["content_hash"]
    assert answered[3]["content_hash"] is None


def test_reconciling_five_thousand_records_is_answered_and_more_refused(device: Device) -> None:
    unknown = {"kind": "session", "id": "01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"}
    assert {item["status"] for item in reconcile(device, *[unknown] * 5000)} == {"missing"}
    too_many = {"items": [unknown] * 5001}
    refused = device.client.post("/v1/reconcile", json=too_many, headers=device.headers)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/items")
