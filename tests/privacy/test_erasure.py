"""Leaving: everything is gone from every table at once, and the devices get 410."""

import asyncio
import uuid
from typing import Any

from sqlalchemy import func, select
from starlette.testclient import TestClient

from api.core.config import Settings
from api.core.db import Database, table_of
from api.privacy.registry import REGISTRY
from api.tables import ALL_TABLES, PERSONAL_TABLES, REFERENCE_TABLES
from tests.conftest import AppMaker
from tests.support.device import Device

Json = dict[str, Any]
MARK = "a-note-nobody-else-may-see"


def rich(client: TestClient) -> tuple[Device, Device]:
    """A participant with two devices and a record in every table."""
    device = Device(client)
    code = device.enrol(conditions=["gout"])["recovery_code"]
    device.post_session(device.session(note=MARK))
    device.post_report(device.report({"radiating_pain": "left"}, note=MARK))
    clearance = {"id": device.session()["id"], "cleared_at": device.now.isoformat()}
    client.post("/v1/me/clearances", json=clearance, headers=device.headers)
    client.put("/v1/me/schedule", json=device.schedule(), headers=device.headers)
    client.post("/v1/me/schedule/feed", headers=device.headers)
    second = Device(client)
    linked = client.post("/v1/devices", json={"recovery_code": code}).json()
    second.token, second.participant_id = linked["device_token"], linked["participant_id"]
    return device, second


def rows_of(database_url: str, participant_id: str) -> dict[str, int]:
    async def count() -> dict[str, int]:
        database = Database(Settings(database_url=database_url))
        try:
            async with database.read() as db:
                return {
                    entry.name: (
                        await db.execute(
                            select(func.count())
                            .select_from(entry.model)
                            .where(
                                table_of(entry.model).c.participant_id == uuid.UUID(participant_id)
                            )
                        )
                    ).scalar_one()
                    for entry in REGISTRY
                }
        finally:
            await database.close()

    return asyncio.run(count())


def everything_in(database_url: str) -> str:
    """Read every row of every table."""

    async def read() -> str:
        database = Database(Settings(database_url=database_url))
        try:
            async with database.read() as db:
                texts = []
                for model in ALL_TABLES:
                    table = model.metadata.tables[str(model.__tablename__)]
                    texts += [str(row) for row in await db.execute(select(table))]
                return "\n".join(texts)
        finally:
            await database.close()

    return asyncio.run(read())


def test_every_personal_column_is_on_the_registry() -> None:
    registered = {str(entry.model.__tablename__): entry for entry in REGISTRY}
    assert set(registered) == {str(model.__tablename__) for model in PERSONAL_TABLES}
    for entry in REGISTRY:
        assert set(entry.exported) | set(entry.withheld) == set(
            table_of(entry.model).columns.keys()
        )
        assert not set(entry.exported) & set(entry.withheld)


def test_no_other_table_names_a_participant() -> None:
    for model in REFERENCE_TABLES:
        table = model.metadata.tables[str(model.__tablename__)]
        assert not {"participant_id", "device_id"} & set(table.columns.keys())


def test_erasing_deletes_everything_and_lists_what_remains(
    client: TestClient, database_url: str
) -> None:
    device, _ = rich(client)
    before = rows_of(database_url, device.participant_id)
    assert all(before.values()), before
    response = client.delete("/v1/me", headers=device.headers)
    assert response.status_code == 200
    receipt = response.json()
    assert {entry["name"]: entry["records"] for entry in receipt["erased"]} == before
    assert "30 days" in receipt["what_stays"]
    assert not any(rows_of(database_url, device.participant_id).values())
    everything = everything_in(database_url)
    assert MARK not in everything
    assert device.participant_id not in everything
    assert device.participant_id.replace("-", "") not in everything


def test_later_requests_of_any_device_get_410(client: TestClient) -> None:
    device, second = rich(client)
    client.delete("/v1/me", headers=device.headers)
    again = client.delete("/v1/me", headers=device.headers)
    assert (again.status_code, again.json()["code"]) == (410, "erased")
    for other in (device, second):
        assert other.get("/v1/me").status_code == 410
        assert other.post_session(other.session()).status_code == 410


def test_other_participants_are_not_affected(client: TestClient) -> None:
    device, _ = rich(client)
    other, _ = rich(client)
    before = client.get("/v1/me/export", headers=other.headers).json()
    client.delete("/v1/me", headers=device.headers)
    after = client.get("/v1/me/export", headers=other.headers).json()
    assert after == before


def test_the_export_holds_every_record_and_no_secret(client: TestClient) -> None:
    device, _ = rich(client)
    response = client.get("/v1/me/export", headers=device.headers)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    export = response.json()
    assert export["participant_id"] == device.participant_id
    assert len(export["devices"]) == 2
    (session,), (report,) = export["sessions"], export["symptom_reports"]
    assert session["note"] == report["note"] == MARK
    assert session["started_at"] == "2026-11-22T10:00:00Z"
    (decision,) = export["decisions"]
    assert decision["document"]["level"] == "see_professional"
    assert "secret" not in response.text
    assert device.token.rpartition("_")[2] not in response.text


def test_an_exported_session_can_be_uploaded_by_a_new_participant(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url)
    device, _ = rich(client)
    export = client.get("/v1/me/export", headers=device.headers).json()
    newcomer = Device(client)
    newcomer.enrol()
    for session in export["sessions"]:
        servers = {"content_hash", "received_at", "sent_local_date"}
        body = {k: v for k, v in session.items() if k not in servers}
        stored = newcomer.post_session(body)
        assert stored.status_code == 201
        assert stored.json()["content_hash"] == session["content_hash"]


def test_a_long_history_is_exported_whole(device: Device) -> None:
    for _ in range(3):
        device.post_session(device.session())
    export = device.get("/v1/me/export").json()
    assert len(export["sessions"]) == 3
    assert len({session["id"] for session in export["sessions"]}) == 3
