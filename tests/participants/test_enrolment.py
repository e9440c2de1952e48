"""Enrolment: a random id, a token shown once, and nothing else that names a person."""

import hashlib
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.participants import models
from api.participants.models import ConsentRecord, Participant
from api.participants.recovery import read_recovery_code
from api.participants.tokens import read_token
from tests.conftest import AppMaker
from tests.core.stored import everything, rows
from tests.support.device import CONSENT_VERSION, Device, Json

BODY: Json = {
    "time_zone": "Europe/Madrid",
    "language": "es-MX",
    "consent": {"version": CONSENT_VERSION, "storage": True, "research": True},
}


def test_enrolment_returns_ids_and_the_secrets(client: TestClient) -> None:
    response = client.post("/v1/participants", json=BODY)
    assert response.status_code == 201
    assert response.headers["Location"] == "/v1/me"
    assert response.headers["Cache-Control"] == "no-store"
    enrolled = response.json()
    participant, device = uuid.UUID(enrolled["participant_id"]), uuid.UUID(enrolled["device_id"])
    prefix, named_participant, named_device, secret = enrolled["device_token"].split("_")
    assert prefix == "fp"
    assert (uuid.UUID(named_participant), uuid.UUID(named_device)) == (participant, device)
    assert len(bytes.fromhex(secret)) == 32


def test_the_secrets_are_kept_only_as_hashes(client: TestClient, database_url: str) -> None:
    enrolled = client.post("/v1/participants", json=BODY).json()
    token, code = (
        read_token(enrolled["device_token"]),
        read_recovery_code(enrolled["recovery_code"]),
    )
    assert token is not None
    assert code is not None
    (device,) = rows(database_url, models.Device)
    assert device["secret_hash"] == hashlib.sha256(token.secret.encode()).hexdigest()
    assert device["revoked_at"] is None
    stored = everything(database_url)
    for secret in (token.secret, code.secret, enrolled["recovery_code"]):
        assert secret not in stored


def test_the_secrets_are_shown_only_once(device: Device) -> None:
    secret = device.token.rpartition("_")[2]
    for path in ("/v1/me", "/v1/devices", "/v1/sessions"):
        assert secret not in device.get(path).text


def test_every_enrolment_is_another_participant_with_another_secret(client: TestClient) -> None:
    enrolled = [client.post("/v1/participants", json=BODY).json() for _ in range(5)]
    for field in ("participant_id", "device_id", "device_token", "recovery_code"):
        assert len({answer[field] for answer in enrolled}) == 5
    assert len({answer["device_token"].rpartition("_")[2] for answer in enrolled}) == 5


def test_the_consent_is_recorded_with_its_version_and_moment(
    client: TestClient, database_url: str
) -> None:
    enrolled = client.post("/v1/participants", json=BODY).json()
    (consent,) = rows(database_url, ConsentRecord)
    assert str(consent["participant_id"]) == enrolled["participant_id"]
    assert (consent["version"], consent["storage"], consent["research"]) == (
        CONSENT_VERSION,
        True,
        True,
    )
    assert consent["given_at"].isoformat() == "2026-11-22T12:00:00+00:00"


def test_ones_own_profile_is_what_one_enrolled_with(client: TestClient) -> None:
    device = Device(client)
    enrolled = device.enrol(
        language="es-MX", age_band="age_40_49", conditions=["pregnant", "diabetes"]
    )
    response = device.get("/v1/me")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {
        "participant_id": enrolled["participant_id"],
        "enrolled_at": "2026-11-22T12:00:00Z",
        "time_zone": "Europe/Madrid",
        "language": "es-MX",
        "age_band": "age_40_49",
        "region": "unknown",
        "conditions": ["diabetes", "pregnant"],
        "consent": {
            "version": CONSENT_VERSION,
            "storage": True,
            "research": False,
            "given_at": "2026-11-22T12:00:00Z",
        },
    }


def test_omitted_fields_are_unknown(device: Device) -> None:
    profile = device.get("/v1/me").json()
    assert (profile["age_band"], profile["region"], profile["conditions"]) == (
        "unknown",
        "unknown",
        [],
    )


def consent(**changes: Any) -> Json:
    return {"consent": BODY["consent"] | changes}


BAD_ENROLMENTS: list[tuple[Json, str, str]] = [
    ({"age_band": "age_under_18"}, "/age_band", "adults_only"),
    ({"age_band": "42"}, "/age_band", "enum"),
    ({"region": "atlantis"}, "/region", "unknown_region"),
    ({"conditions": ["diabetes", "boredom"]}, "/conditions/1", "unknown_condition"),
    ({"conditions": "diabetes"}, "/conditions", "list_type"),
    (consent(version="1999-01-01"), "/consent/version", "unknown_consent_version"),
    (consent(storage=False), "/consent/storage", "literal_error"),
    (consent(storage="true"), "/consent/storage", "literal_error"),
    (consent(storage=1), "/consent/storage", "literal_error"),
    (consent(research="yes"), "/consent/research", "bool_type"),
    (consent(research=None), "/consent/research", "bool_type"),
    (consent(marketing=True), "/consent/marketing", "unknown_field"),
    ({"consent": None}, "/consent", "model_attributes_type"),
    ({"time_zone": ""}, "/time_zone", "string_too_short"),
    ({"time_zone": "Europe/Mad rid"}, "/time_zone", "string_pattern_mismatch"),
    ({"language": "klingon!"}, "/language", "string_pattern_mismatch"),
    ({"name": "Ana"}, "/name", "unknown_field"),
    ({"email": "ana@example.org"}, "/email", "unknown_field"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), BAD_ENROLMENTS)
def test_an_invalid_field_is_named_and_no_participant_is_enrolled(
    client: TestClient, database_url: str, change: Json, pointer: str, code: str
) -> None:
    response = client.post("/v1/participants", json=BODY | change)
    assert response.status_code == 422
    faults = [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]]
    assert faults == [(pointer, code)]
    assert rows(database_url, Participant) == []


@pytest.mark.parametrize("missing", ["time_zone", "language", "consent"])
def test_a_missing_field_is_named(client: TestClient, missing: str) -> None:
    response = client.post(
        "/v1/participants", json={key: value for key, value in BODY.items() if key != missing}
    )
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (f"/{missing}", "missing_field")


def test_all_faults_are_listed_with_the_available_values(client: TestClient) -> None:
    body = BODY | consent(version="1999-01-01") | {"region": "atlantis", "conditions": ["boredom"]}
    problem = client.post("/v1/participants", json=body).json()
    assert [fault["pointer"] for fault in problem["errors"]] == [
        "/consent/version",
        "/region",
        "/conditions/0",
    ]
    assert CONSENT_VERSION in problem["errors"][0]["message"]
    assert "unknown" in problem["errors"][1]["message"]


def test_an_operator_can_admit_minors_and_name_regions(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, adults_only=False, regions=("north", "south"))
    device = Device(client)
    device.enrol(age_band="age_under_18", region="north")
    assert device.get("/v1/me").json()["region"] == "north"
    problem = client.post("/v1/participants", json=BODY | {"region": "west"}).json()
    assert "north, south, unknown" in problem["errors"][0]["message"]


def test_every_seeded_consent_version_can_be_agreed_to(client: TestClient) -> None:
    for text in client.get("/v1/consents").json()["items"]:
        Device(client).enrol(
            consent={"version": text["version"], "storage": True, "research": False}
        )
