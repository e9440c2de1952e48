"""The profile can be changed: what was sent changes, everything else stays."""

import pytest
from starlette.testclient import TestClient

from api.participants.models import Participant, RecordedChange
from tests.conftest import AppMaker
from tests.core.stored import rows
from tests.support.device import Device, Json


def changes(database_url: str) -> list[tuple[int, str]]:
    found = sorted(rows(database_url, RecordedChange), key=lambda row: row["number"])
    return [(row["number"], row["kind"]) for row in found]


def test_what_was_sent_changes_and_everything_else_stays(client: TestClient) -> None:
    device = Device(client)
    device.enrol(age_band="age_40_49", conditions=["gout"])
    before = device.get("/v1/me").json()
    response = device.patch("/v1/me", {"time_zone": "America/Lima", "language": "es-PE"})
    assert response.status_code == 200
    assert response.json() == before | {"time_zone": "America/Lima", "language": "es-PE"}
    assert device.get("/v1/me").json() == response.json()


@pytest.mark.parametrize(
    "change",
    [
        {"time_zone": "Pacific/Auckland"},
        {"language": "es"},
        {"age_band": "age_70_79"},
        {"conditions": ["pregnant", "diabetes", "diabetes"]},
    ],
)
def test_every_field_can_be_changed_alone(device: Device, change: Json) -> None:
    before = device.get("/v1/me").json()
    expected = {name: sorted(set(v)) if name == "conditions" else v for name, v in change.items()}
    assert device.patch("/v1/me", change).json() == before | expected


def test_null_equals_an_omitted_field(device: Device, database_url: str) -> None:
    """Generated clients write null for what an app did not set."""
    before = device.get("/v1/me").json()
    nulls: Json = dict.fromkeys(("time_zone", "language", "age_band", "region", "conditions"))
    assert device.patch("/v1/me", nulls).json() == before
    assert changes(database_url) == []
    optional: Json = dict.fromkeys(("age_band", "region", "conditions"))
    device.enrol(**optional)
    profile = device.get("/v1/me").json()
    assert (profile["age_band"], profile["region"], profile["conditions"]) == (
        "unknown",
        "unknown",
        [],
    )


def test_conditions_can_be_emptied(client: TestClient) -> None:
    device = Device(client)
    device.enrol(conditions=["gout"])
    assert device.patch("/v1/me", {"conditions": []}).json()["conditions"] == []


def test_a_change_is_numbered_and_the_same_again_is_none(device: Device, database_url: str) -> None:
    nothing: list[Json] = [{}, {"language": "en"}, {"conditions": []}]
    for change in nothing:
        assert device.patch("/v1/me", change).status_code == 200
    assert changes(database_url) == []
    device.patch("/v1/me", {"language": "es", "age_band": "age_50_59"})
    device.patch("/v1/me", {"language": "es"})
    device.patch("/v1/me", {"conditions": ["gout"]})
    assert changes(database_url) == [(1, "profile"), (2, "profile")]
    (change, _) = rows(database_url, RecordedChange)
    assert str(change["record_id"]) == device.participant_id


def test_a_region_is_one_of_the_operators(database_url: str, make_client: AppMaker) -> None:
    device = Device(make_client(database_url=database_url, regions=("north",)))
    device.enrol()
    assert device.patch("/v1/me", {"region": "north"}).json()["region"] == "north"
    problem = device.patch("/v1/me", {"region": "west"}).json()
    assert "north, unknown" in problem["errors"][0]["message"]


BAD_CHANGES: list[tuple[Json, str, str]] = [
    ({"age_band": "age_under_18"}, "/age_band", "adults_only"),
    ({"age_band": "forty"}, "/age_band", "enum"),
    ({"region": "atlantis"}, "/region", "unknown_region"),
    ({"conditions": ["gout", "boredom"]}, "/conditions/1", "unknown_condition"),
    ({"conditions": "gout"}, "/conditions", "list_type"),
    ({"time_zone": ""}, "/time_zone", "string_too_short"),
    ({"language": "klingon!"}, "/language", "string_pattern_mismatch"),
    ({"consent": {"storage": True}}, "/consent", "unknown_field"),
    ({"name": "Ana"}, "/name", "unknown_field"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), BAD_CHANGES)
def test_a_bad_field_is_named_and_nothing_changes(
    device: Device, database_url: str, change: Json, pointer: str, code: str
) -> None:
    before = rows(database_url, Participant)
    response = device.patch("/v1/me", {"language": "es"} | change)
    assert response.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]] == [
        (pointer, code)
    ]
    after = rows(database_url, Participant)
    assert [row | {"used": True} for row in after] == [row | {"used": True} for row in before]


def test_every_fault_is_named_at_once(device: Device) -> None:
    body = {"age_band": "age_under_18", "region": "atlantis", "conditions": ["boredom"]}
    problem = device.patch("/v1/me", body).json()
    assert [fault["pointer"] for fault in problem["errors"]] == [
        "/age_band",
        "/region",
        "/conditions/0",
    ]


def test_a_changed_time_zone_and_language_apply_from_the_next_request(device: Device) -> None:
    device.patch("/v1/me", {"time_zone": "Pacific/Kiritimati", "language": "es"})
    progress = device.get("/v1/me/progress")
    assert progress.json()["time_zone"] == "Pacific/Kiritimati"
    assert progress.json()["today"] == "2026-11-23"
