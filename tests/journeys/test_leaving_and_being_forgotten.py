"""Ben leaves: afterwards nothing in any table, in the log or in the file says that he was here."""

import datetime
import uuid
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, make_url, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import table_of
from api.tables import PERSONAL_TABLES
from tests.core.stored import everything, in_database
from tests.support.offline import OfflineDevice
from tests.support.server import running_server

NOTE = "wolpertinger-0815"


def rows_of(database_url: str, participant_id: str) -> dict[str, int]:
    """Count a person's rows in every personal table."""
    owner = uuid.UUID(participant_id)

    async def count(db: AsyncSession) -> dict[str, int]:
        counts = {}
        for model in PERSONAL_TABLES:
            table = table_of(model)
            mine = select(func.count()).where(table.c.participant_id == owner)
            counts[table.name] = (await db.execute(mine)).scalar_one()
        return counts

    return in_database(database_url, count)


def live_a_little(phone: OfflineDevice) -> list[str]:
    """Leave something in every table; return every id that was given or made."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    ids = []
    for day in range(3):
        phone.now = now - datetime.timedelta(days=3 - day)
        phone.queue.append(("session", phone.session(note=f"{NOTE} {day}")))
        answers = {"radiating_pain": "left", "saddle_numbness": "yes"}
        phone.queue.append(("symptom_report", phone.report(answers, note=NOTE, pain_score=8)))
    phone.queue.append(("clearance", {"id": str(uuid.uuid4()), "cleared_at": now.isoformat()}))
    ids += [body["id"] for _, body in phone.queue]
    phone.call("PUT", "/v1/me/schedule", phone.schedule())
    ids.append(phone.call("POST", "/v1/me/schedule/feed").json()["path"].rpartition("/")[2])
    phone.upload()
    phone.call("DELETE", f"/v1/sessions/{ids[0]}")
    export: dict[str, Any] = phone.get("/v1/me/export").json()
    ids += [decision["id"] for decision in export["decisions"]]
    return ids


def traces(ids: list[str]) -> list[str]:
    """Write every id in each form that a database or a log could hold it in."""
    return [text for name in ids for text in (name, name.replace("-", ""))]


def test_leaving_and_being_forgotten(database_url: str, tmp_path: Path) -> None:
    with (
        running_server(database_url, tmp_path, log_level="debug") as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        # Ben uses two phones for a while; Cleo uses the same server.
        one, other, cleo = (OfflineDevice(client) for _ in range(3))
        enrolled = one.enrol(age_band="age_40_49", conditions=["gout"])
        linked = other.link(enrolled["recovery_code"])
        cleo.enrol()
        live_a_little(cleo)
        ids = live_a_little(one)
        ids += [one.participant_id, enrolled["device_id"], linked["device_id"]]
        ids += [phone.token.rpartition("_")[2] for phone in (one, other)]
        before = rows_of(database_url, one.participant_id)
        assert all(before.values()), before
        of_cleo = cleo.get("/v1/me/export").json() | {"exported_at": None}

        # He leaves, and the receipt lists what is gone and what stays.
        response = one.call("DELETE", "/v1/me")
        assert response.status_code == 200
        receipt = response.json()
        assert sum(table["records"] for table in receipt["erased"]) == sum(before.values())
        assert receipt["what_stays"]

        # Whatever either phone still tries, it learns why it is no longer let in.
        waiting = [("session", one.session(note=NOTE))]
        for phone in (one, other):
            for refused in (
                phone.get("/v1/me"),
                phone.call("DELETE", "/v1/me"),
                phone.get("/v1/changes"),
                phone.call("POST", "/v1/batches", {"sessions": [waiting[0][1]]}),
            ):
                assert (refused.status_code, refused.json()["code"]) == (410, "erased")
        code = {"recovery_code": enrolled["recovery_code"]}
        assert client.post("/v1/devices", json=code).status_code == 401

        # No table has a row of his, nor any of his ids or words.
        assert not any(rows_of(database_url, one.participant_id).values())
        written = everything(database_url)
        mine = [text for text in traces(ids) if text in written]
        assert mine == []
        assert cleo.get("/v1/me/export").json() | {"exported_at": None} == of_cleo

        # He may come back: as a new participant, with an empty journal.
        fresh = OfflineDevice(client)
        fresh.enrol()
        assert fresh.participant_id != one.participant_id
        assert fresh.get("/v1/changes").json()["items"] == []
        assert fresh.get("/v1/me/progress").json()["sessions_total"] == 0
        assert fresh.post_batch(waiting)[0]["status"] == "created"
        fresh.call("DELETE", "/v1/me")
        cleo.call("DELETE", "/v1/me")

    # Nor does the log know anything, nor the file once the server has closed it: SQLite overwrites
    # what is deleted. (PostgreSQL does so with its next vacuum.)
    for text in (*traces(ids), NOTE, "gout", "saddle_numbness"):
        assert text not in server.log
    assert NOTE not in everything(database_url)
    if database_url.startswith("sqlite"):
        database = make_url(database_url).database
        assert database is not None
        folder = Path(database).parent
        files = [file.read_bytes() for file in folder.glob(f"{Path(database).name}*")]
        assert files
        for text in (*traces(ids), NOTE):
            assert not any(text.encode() in content for content in files)
