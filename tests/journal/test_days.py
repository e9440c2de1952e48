"""A person's own date: taken from instant and zone where those contradict what was sent."""

import datetime
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.journal.models import ExerciseSession
from tests.core.stored import in_database
from tests.support.device import Device

Json = dict[str, Any]
ADJUSTED = [{"pointer": "/local_date", "code": "date_mismatch"}]
# At half past eleven in the evening in UTC it is the next day in Madrid.
LATE = "2026-11-21T23:30:00Z"


@pytest.mark.parametrize(
    ("time_zone", "sent", "stored"),
    [
        ("Europe/Madrid", "2026-11-22", "2026-11-22"),
        ("Europe/Madrid", "2026-11-21", "2026-11-22"),
        ("Europe/Madrid", "2020-01-01", "2026-11-22"),
        ("Europe/Madrid", "9999-12-31", "2026-11-22"),
        ("America/Lima", "2026-11-22", "2026-11-21"),
        # The server does not know this zone: any date that is valid somewhere may be right.
        ("Mars/Olympus_Mons", "2026-11-21", "2026-11-21"),
        ("Mars/Olympus_Mons", "2026-11-22", "2026-11-22"),
        ("Mars/Olympus_Mons", "2026-11-20", "2026-11-21"),
        ("localtime", "2026-11-22", "2026-11-22"),
    ],
)
def test_a_date_that_can_not_have_been_is_taken_from_instant_and_zone_and_the_answer_says_so(
    device: Device, time_zone: str, sent: str, stored: str
) -> None:
    changes: Json = {"local_date": sent, "time_zone": time_zone}
    session = device.session(started_at=LATE, ended_at=LATE, **changes)
    report = device.report(reported_at=LATE, **changes)
    expected = [] if sent == stored else ADJUSTED
    for post, body, path in (
        (device.post_session, session, "/v1/sessions"),
        (device.post_report, report, "/v1/symptom-reports"),
    ):
        first, again = post(body), post(body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert (first.json()["local_date"], first.json()["adjusted"]) == (stored, expected)
        assert again.json() == first.json() == device.get(f"{path}/{body['id']}").json()
        assert device.get(path).json()["items"] == [first.json()]


def test_a_receipt_points_at_what_was_adjusted(device: Device) -> None:
    wrong: Json = {"local_date": "2026-11-25"}
    batch = {
        "sessions": [device.session(), device.session(**wrong)],
        "symptom_reports": [device.report(**wrong)],
    }
    for status in ("created", "duplicate"):
        answer = device.client.post("/v1/batches", json=batch, headers=device.headers).json()
        assert [(receipt["status"], receipt["adjusted"]) for receipt in answer["receipts"]] == [
            (status, []),
            (status, [{"pointer": "/sessions/1/local_date", "code": "date_mismatch"}]),
            (status, [{"pointer": "/symptom_reports/0/local_date", "code": "date_mismatch"}]),
        ]


def test_the_content_hash_is_that_of_what_was_sent(device: Device) -> None:
    right = device.session()
    stored = device.post_session(right).json()
    other_day = right | {"local_date": "2026-11-25"}
    assert device.post_session(other_day).status_code == 409
    wrong = device.post_session(other_day | {"id": device.session()["id"]}).json()
    assert wrong["local_date"] == stored["local_date"]
    assert wrong["content_hash"] != stored["content_hash"]


def test_an_adjusted_date_counts_and_the_one_that_was_sent_is_in_the_export(device: Device) -> None:
    device.post_session(device.session(local_date="2026-11-02"))
    progress = device.get("/v1/me/progress").json()
    assert progress["streak"] == {"days": 1, "last_active_on": "2026-11-22"}
    (exported,) = device.get("/v1/me/export").json()["sessions"]
    assert (exported["local_date"], exported["sent_local_date"]) == ("2026-11-22", "2026-11-02")


def test_what_was_stored_with_another_date_before_is_the_same_when_it_is_sent_again(
    device: Device, database_url: str
) -> None:
    """Versions before this one took a date as it was sent if it was a day away at most."""
    body = device.session(local_date="2026-11-21")
    first = device.post_session(body).json()

    async def as_it_was(db: AsyncSession) -> str:
        sent = datetime.date(2026, 11, 21)
        await db.execute(update(ExerciseSession).values(local_date=sent, sent_local_date=None))
        return str((await db.execute(select(col(ExerciseSession.content_hash)))).scalar_one())

    assert in_database(database_url, as_it_was) == first["content_hash"]
    again = device.post_session(body)
    assert (again.status_code, again.json()["local_date"]) == (200, "2026-11-21")
    batch = {"sessions": [body]}
    answer = device.client.post("/v1/batches", json=batch, headers=device.headers).json()
    assert answer["receipts"][0]["status"] == "duplicate"
