"""What a person reads costs what it returns: held by the plans of the queries, not by a clock."""

import datetime
import re
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.core.db import Database
from tests.core.stored import in_database
from tests.support.device import Device
from tests.support.statements import listening

TABLES = ("exercise_session", "symptom_report")


def plans(client: TestClient, device: Device, path: str, **params: Any) -> dict[str, str]:
    """Read something, and have the database explain each of the statements it was asked."""
    database: Database = client.app.state.context.database  # type: ignore[attr-defined]
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    with listening(database.reader) as sent:
        assert device.get(path, **params).status_code == 200
    asked = [each for each in sent if any(table in each[0] for table in TABLES)]
    assert asked

    async def explained(db: AsyncSession) -> dict[str, str]:
        connection = await db.connection()
        if explain == "EXPLAIN":
            # The tables of a test are small, and reading them whole would be right.
            await db.execute(text("SET LOCAL enable_seqscan = off"))
            await db.execute(text("SET LOCAL enable_bitmapscan = off"))
        found = {}
        for statement, parameters in asked:
            rows = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
            found[statement] = "\n".join(str(row[-1]) for row in rows)
        return found

    return in_database(str(database.writer.url.render_as_string(hide_password=False)), explained)


def live(device: Device) -> None:
    """Log some weeks, with a correction, and report on them."""
    for days in range(12):
        device.now = datetime.datetime(2026, 11, 22, 7, tzinfo=datetime.UTC)
        device.now -= datetime.timedelta(days=days)
        first = device.session()
        device.post_session(first)
        device.post_session(device.session(replaces=first["id"]))
        device.post_report(device.report(pain_score=3))


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/symptom-reports"])
def test_a_page_deep_in_a_list_starts_at_its_place_in_the_index(
    device: Device, client: TestClient, path: str
) -> None:
    live(device)
    cursor = device.get(path, limit=5).json()["next_cursor"]
    found = plans(client, device, path, limit=5, cursor=cursor)
    (plan,) = (plan for statement, plan in found.items() if "LIMIT" in statement)
    place = r"\(?(started_at|reported_at),\s*id\)?\s*<|ROW\((\w+\.)?(started_at|reported_at), "
    assert re.search(place, plan), plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_progress_looks_each_correction_up_and_never_reads_all_sessions_for_one(
    device: Device, client: TestClient
) -> None:
    """With an OR in it, this took 60 seconds at 5,000 sessions: as many reads as their square."""
    live(device)
    found = plans(client, device, "/v1/me/progress")
    assert sum("correction" in statement for statement in found) >= 4
    for statement, plan in found.items():
        assert "SCAN exercise_session" not in plan, (statement, plan)
        for line in plan.splitlines():
            if re.search(r"\b(correction|rivals_correction)\b", line):
                assert "participant_id=? AND replaces=?" in line, (statement, plan)
            if re.search(r"\brival\b", line):
                assert "participant_id=? AND original=? AND id>?" in line, (statement, plan)


def test_a_late_report_finds_its_place_by_the_index(device: Device, client: TestClient) -> None:
    live(device)
    database: Database = client.app.state.context.database  # type: ignore[attr-defined]
    with listening(database.writer) as asked:
        device.now = datetime.datetime(2026, 11, 15, 9, tzinfo=datetime.UTC)
        assert device.post_report(device.report(pain_score=2)).status_code == 201
    places = [statement for statement, _ in asked if "reported_at, symptom_report.id)" in statement]
    assert len(places) >= 3
    assert not any(re.search(r"reported_at [<>] .* OR ", statement) for statement, _ in asked)
