"""`footing demo`: synthetic users with valid records, never mixed with real ones."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.journal.models import ActivityHold, Clearance, ExerciseSession, SymptomReport
from api.participants.models import ConsentRecord, Participant, RecordedChange
from api.publications.models import Installation, Publication, PublicationCell
from tests.core.stored import rows
from tests.support import databases
from tests.support.device import Device
from tests.support.server import footing, running_server

Json = dict[str, Any]
SMALL = ("--participants", "40", "--weeks", "10")
REGIONS = '["north", "south"]'


def demo(database_url: str, folder: Path, *options: str) -> tuple[int, str, str]:
    done = footing("demo", *options, database_url=database_url, folder=folder, regions=REGIONS)
    return done.returncode, done.stdout, done.stderr


def every_change(device: Device) -> list[Json]:
    items: list[Json] = []
    cursor: Json = {}
    while True:
        page = device.get("/v1/changes", limit=50, **cursor).json()
        items += page["items"]
        cursor = {"cursor": page["next_cursor"]}
        if not page["has_more"]:
            return items


def without_gone(record: Json, *names: str) -> Json:
    """Return the request that a stored record came from."""
    return {name: value for name, value in record.items() if name not in names}


@dataclass(frozen=True)
class Filled:
    """A database that the command has filled, what it said, and on which days it may have run."""

    url: str
    code: int
    said: str
    error: str
    days: tuple[datetime.date, datetime.date]


def today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


@pytest.fixture(scope="module", params=databases.KINDS)
def filled(
    request: pytest.FixtureRequest, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("filled")
    with databases.fresh_database(request.param, templates, folder) as url:
        first = today()
        done = demo(url, folder, *SMALL)
        yield Filled(url, *done, (first, today()))


def test_the_demo_has_figures_a_key_and_a_valid_device_token(
    filled: Filled, tmp_path: Path
) -> None:
    said = filled.said
    assert filled.code == 0, filled.error
    assert "Making up" in filled.error
    assert "Publishing" in filled.error
    assert "All of these users are synthetic." in said
    (key,) = re.findall(r"^  (fc_\w+)$", said, re.MULTILINE)
    (path, token) = re.findall(r"8000(/v1/\S+) .*Bearer (fp_\w+)", said)[0]
    with (
        running_server(filled.url, tmp_path) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        clinician = {"Authorization": f"Bearer {key}"}
        index = client.get("/v1/aggregates", headers=clinician).json()
        released = [each for each in index["periods"] if each["status"] == "released"]
        assert {each["period_kind"] for each in released} == {"week", "cycle"}
        device = Device(client)
        device.token = token
        assert device.get(path).status_code == 200
        changes = every_change(device)
        assert [change["number"] for change in changes] == list(range(1, len(changes) + 1))
        sessions = [change["session"] for change in changes if change["session"]]
        reports = [change["symptom_report"] for change in changes if change["symptom_report"]]
        assert sessions
        assert reports
        gone = ("content_hash", "received_at", "deleted", "adjusted", "advice")
        for session in sessions[:5]:
            again = device.post_session(without_gone(session, *gone))
            assert again.status_code == 200, again.text
            assert again.json()["content_hash"] == session["content_hash"]
        for report in reports:
            decision = report["decision"]["id"]
            replayed = client.post(f"/v1/decisions/{decision}/replay", headers=device.headers)
            assert replayed.json()["differences"] == [], replayed.text
        assert device.get("/v1/me/export").status_code == 200


def test_every_demo_record_is_in_the_change_feed(filled: Filled) -> None:
    now = datetime.datetime.now(datetime.UTC)
    people = {row["participant_id"]: row for row in rows(filled.url, Participant)}
    assert len(people) == 40
    changes = rows(filled.url, RecordedChange)
    sessions, reports, clearances = (
        rows(filled.url, table) for table in (ExerciseSession, SymptomReport, Clearance)
    )
    for kind, records in (
        ("session", sessions),
        ("symptom_report", reports),
        ("clearance", clearances),
    ):
        assert records
        assert {row["record_id"] for row in changes if row["kind"] == kind} == {
            row["id"] for row in records
        }
        assert all(row["received_at"] <= now for row in records)
        enrolled = {row["id"]: people[row["participant_id"]]["enrolled_at"] for row in records}
        assert all(enrolled[row["id"]] <= row["received_at"] for row in records)
    for participant_id, person in people.items():
        numbers = [row["number"] for row in changes if row["participant_id"] == participant_id]
        assert sorted(numbers) == list(range(1, person["last_change"] + 1))
    assert rows(filled.url, ActivityHold)
    assert {row["research"] for row in rows(filled.url, ConsentRecord)} == {True, False}


def test_the_service_seems_to_have_run_for_as_long_as_was_asked(filled: Filled) -> None:
    (installation,) = rows(filled.url, Installation)
    mondays = {day - datetime.timedelta(days=day.weekday(), weeks=10) for day in filled.days}
    assert installation["installed_on"] in mondays
    weeks = [row for row in rows(filled.url, Publication) if row["kind"] == "week"]
    # A week is closed two weeks after its end.
    assert len(weeks) == 8
    assert rows(filled.url, PublicationCell)


@pytest.mark.parametrize("filled", ["sqlite"], indirect=True)
def test_a_second_time_it_refuses_and_changes_nothing(filled: Filled, tmp_path: Path) -> None:
    before = rows(filled.url, Participant), rows(filled.url, Publication)
    code, said, error = demo(filled.url, tmp_path, *SMALL)
    assert (code, said) == (1, "")
    assert error.startswith("This database already contains participants")
    assert error.count("\n") == 1
    assert (rows(filled.url, Participant), rows(filled.url, Publication)) == before


@pytest.mark.usefixtures("device")
def test_beside_a_real_person_it_refuses(database_url: str, tmp_path: Path) -> None:
    code, _, error = demo(database_url, tmp_path, *SMALL)
    assert code == 1
    assert "already contains participants" in error
    assert len(rows(database_url, Participant)) == 1
    (installation,) = rows(database_url, Installation)
    assert installation["installed_on"] >= datetime.date(2026, 11, 1)


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_without_tables_the_error_names_the_command_to_run(
    empty_database_url: str, tmp_path: Path
) -> None:
    code, _, error = demo(empty_database_url, tmp_path)
    assert code == 1
    assert error.endswith("Run: footing migrate\n")


@pytest.mark.parametrize("option", ["--participants=0", "--weeks=3", "--seed=x"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_option_out_of_bounds_is_named(database_url: str, tmp_path: Path, option: str) -> None:
    code, _, error = demo(database_url, tmp_path, option)
    assert code == 2
    assert option.partition("=")[0] in error
    assert not rows(database_url, Participant)
