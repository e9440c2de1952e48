"""Moving records: the export, uploaded by a new participant, gives the same progress."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import AppMaker
from tests.support.clock import FakeClock
from tests.support.device import Device, Json
from tests.support.full_history import upload_full_history

RECIPE = Path(__file__).parents[2] / "docs" / "app-teams.md"
# The recipe: what is not posted is the server's own.
PROFILE = ("time_zone", "language", "age_band", "region", "conditions")
SESSION = (
    *("id", "replaces", "routine_id", "started_at", "ended_at", "local_date", "time_zone"),
    *("status", "items", "pain_before", "pain_after", "effort", "note"),
)
REPORT = (
    *("id", "reported_at", "local_date", "time_zone", "pain_score", "weeks", "trend"),
    *("age_years", "country", "answers", "note"),
)
CLEARANCE = ("id", "cleared_at")
CALLS = (
    ("sessions", "/v1/sessions", SESSION),
    ("symptom_reports", "/v1/symptom-reports", REPORT),
    ("clearances", "/v1/me/clearances", CLEARANCE),
)


def take_over(export: Json, device: Device) -> None:
    """Enrol a participant with the profile of an export, and post its records in their order."""
    (profile,) = export["participants"]
    device.enrol(**{name: profile[name] for name in PROFILE})
    records: list[tuple[str, str, Json]] = []
    for name, path, fields in CALLS:
        for record in export[name]:
            body = {field: record[field] for field in fields}
            if record.get("device_level") is not None:
                body["device_decision"] = {
                    "level": record["device_level"],
                    "rule_set_hash": record["device_rule_set_hash"],
                }
            records.append((record["received_at"], path, body))
    # What the server heard first comes first: a hold outlives the decision that asked for it.
    for _, path, body in sorted(records, key=lambda record: record[0]):
        response = device.client.post(path, json=body, headers=device.headers)
        assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    ("start", "fields"),
    [
        ("| `participants[0]` |", PROFILE),
        ("| `sessions[]` |", SESSION),
        ("| `symptom_reports[]` |", REPORT),
        ("| `clearances[]` |", CLEARANCE),
    ],
)
def test_the_recipe_is_the_documented_one(start: str, fields: tuple[str, ...]) -> None:
    (row,) = (line for line in RECIPE.read_text("utf-8").splitlines() if line.startswith(start))
    named = row.split("|")[3].partition(";")[0].partition(", with a new")[0]
    assert tuple(name.strip().strip("`") for name in named.split(",")) == fields


def without_server_fields(records: list[Json]) -> list[Json]:
    return [{k: v for k, v in record.items() if k != "received_at"} for record in records]


@pytest.fixture
def export(device: Device, clock: FakeClock) -> Json:
    device.enrol(time_zone="Pacific/Auckland", conditions=["gout"], age_band="age_60_69")
    upload_full_history(device, clock)
    found: Json = device.get("/v1/me/export").json()
    return found


def test_the_records_of_an_export_posted_again_give_the_same_progress(
    client: TestClient, device: Device, export: Json
) -> None:
    newcomer = Device(client)
    take_over(export, newcomer)
    assert newcomer.participant_id != device.participant_id
    for language in ("en", "es"):
        headers = {"Accept-Language": language}
        before, after = (
            client.get("/v1/me/progress", headers=one.headers | headers).json()
            for one in (device, newcomer)
        )
        assert after == before
    assert before["sessions_total"] > 5
    assert before["activities"]["status"] != "continue"
    assert before["pain"]["status"] != "not_enough_data"


def test_its_records_and_decisions_are_the_same_ones(client: TestClient, export: Json) -> None:
    newcomer = Device(client)
    take_over(export, newcomer)
    again = newcomer.get("/v1/me/export").json()
    for name in ("sessions", "symptom_reports", "clearances"):
        assert without_server_fields(again[name]) == without_server_fields(export[name])
    decided: list[Any] = [
        [(row["id"], row["level"], row["supersedes"]) for row in document["decisions"]]
        for document in (export, again)
    ]
    assert decided[0] == decided[1]
    assert again["activity_holds"] == export["activity_holds"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_server_accepts_them_too(
    export: Json, make_client: AppMaker, templates: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    other.write_bytes((templates / "template.db").read_bytes())
    client = make_client(database_url=f"sqlite:///{other}")
    here = Device(client)
    take_over(export, here)
    assert len(here.get("/v1/me/export").json()["sessions"]) == len(export["sessions"])
