"""Equivalent spellings are the same content and have the same hash."""

import asyncio

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from api.core.canonical import content_hash
from api.core.config import Settings
from api.core.db import Database
from api.journal.models import ExerciseSession
from api.journal.schemas import NewSession
from api.journal.uploads import content_of
from tests.support.device import Device, Json

CANONICAL: Json = {
    "started_at": "2026-11-22T10:00:00Z",
    "ended_at": "2026-11-22T10:15:00Z",
    "time_zone": "+05:30",
}
SAME_SESSIONS: list[Json] = [
    {"time_zone": "GMT+05:30"},
    {"time_zone": "UTC+5:30"},
    {"time_zone": "+0530"},
    {"started_at": "2026-11-22T10:00Z"},
    {"started_at": "2026-11-22 10:00:00.000Z"},
    {"started_at": "2026-11-22T15:30:00+0530"},
    {"started_at": "2026-11-22T12:00+02"},
    {"started_at": "2026-11-22T10:00:00,5z"},
    {"replaces": None, "effort": None, "note": None},
]
SAME_REPORTS: list[Json] = [
    {"country": "es"},
    {"country": "Es"},
    {"time_zone": "UTC+05:30"},
    {"reported_at": "2026-11-22T11:00+0100"},
    {"weeks": None, "answers": {"fever": "no", "night_pain": None}},
    {"answers": {"fever": "no", "headache": None, "weeks": None}},
    {"device_decision": None, "note": None},
]


def test_a_session_in_other_spellings_is_the_same_session(device: Device) -> None:
    body = device.session(**CANONICAL)
    body["items"][0]["skipped"] = False
    stored = device.post_session(body)
    assert (stored.status_code, stored.json()["time_zone"]) == (201, "+05:30")
    skipped = [{**body["items"][0], "skipped": None, "sets": None}, body["items"][1]]
    for change in (*SAME_SESSIONS, {"items": skipped}):
        again = device.post_session(body | change)
        assert again.status_code == 200, change
        assert again.json()["content_hash"] == stored.json()["content_hash"], change


def test_a_report_in_other_spellings_is_the_same_report(device: Device) -> None:
    body = device.report(
        {"fever": "no"}, country="ES", time_zone="+05:30", reported_at="2026-11-22T10:00:00Z"
    )
    stored = device.post_report(body)
    assert (stored.status_code, stored.json()["country"]) == (201, "ES")
    for change in SAME_REPORTS:
        again = device.post_report(body | change)
        assert again.status_code == 200, change
        assert again.json()["content_hash"] == stored.json()["content_hash"], change


@pytest.mark.parametrize(
    "bad", ["2026-11-22T10:00", "2026-11-22T10Z", "2026-11-22T10:00:00+1", "2026-11-22t10:00:00+٠١"]
)
def test_a_time_that_means_nothing_certain_is_refused(device: Device, bad: str) -> None:
    refused = device.post_session(device.session(started_at=bad))
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/started_at"]


@pytest.mark.parametrize("spelling", ["UTC+2", "+0200"])
def test_what_was_stored_in_another_spelling_of_its_zone_is_known_when_it_comes_again(
    device: Device, database_url: str, spelling: str
) -> None:
    body = device.session(time_zone=spelling)
    assert device.post_session(body).status_code == 201
    # As it was stored when a zone was kept in the spelling it came in.
    before = content_hash(content_of(NewSession.model_validate(body)) | {"time_zone": spelling})

    async def work() -> None:
        database = Database(Settings(database_url=database_url))
        async with database.write() as db:
            then = {"time_zone": spelling, "content_hash": before}
            await db.execute(update(ExerciseSession).values(**then))
        await database.close()

    asyncio.run(work())
    again = device.post_session(body)
    assert (again.status_code, again.json()["content_hash"]) == (200, before)
    assert device.post_session(body | {"time_zone": "+02:00"}).status_code == 200
    assert device.post_session(body | {"time_zone": "+03:00"}).status_code == 409
    assert device.get("/v1/changes").json()["items"][0]["session"]["time_zone"] == "+02:00"


def test_a_person_by_an_offset_has_its_days(client: TestClient) -> None:
    # It is noon of the 22nd in UTC.
    for zone, today in (("UTC+14", "2026-11-23"), ("GMT-13:00", "2026-11-21"), ("Z", "2026-11-22")):
        device = Device(client)
        device.enrol(time_zone=zone, language="es_MX")
        assert device.get("/v1/me").json()["language"] == "es-MX"
        assert device.get("/v1/me/progress").json()["today"] == today
    assert device.put("/v1/me/schedule", device.schedule(time_zone="GMT+5:30")).status_code == 200
    assert device.get("/v1/me/schedule").json()["time_zone"] == "+05:30"


def test_a_zone_that_is_none_is_kept_and_its_days_are_those_of_utc(client: TestClient) -> None:
    for zone in ("localtime", "Factory"):
        device = Device(client)
        device.enrol(time_zone=zone)
        assert device.get("/v1/me").json()["time_zone"] == zone
        assert device.get("/v1/me/progress").json()["today"] == "2026-11-22"
        assert device.post_session(device.session(time_zone=zone)).status_code == 201
