"""The export as FHIR: valid, whole, the same figures as the JSON export, and no secret in it."""

import asyncio
import contextlib
import datetime
import gc
import json
import sys
import tracemalloc
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import insert, text

from api.core.config import Settings
from api.core.db import Database
from api.journal.models import ExerciseSession
from api.privacy import service
from api.privacy.schemas import FHIR_EXAMPLE
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device, Json
from tests.support.full_history import NOTE, upload_full_history

FHIR = "application/fhir+json"
LOINC_PAIN = ("http://loinc.org", "72514-3")


def bundle_of(device: Device) -> Json:
    response = device.client.get("/v1/me/export", headers=device.headers | {"Accept": FHIR})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == FHIR
    found: Json = response.json()
    return found


def resources(bundle: Json, kind: str) -> list[Json]:
    every = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in every if resource["resourceType"] == kind]


def codes(concept: Json) -> list[str]:
    return [coding["code"] for coding in concept["coding"]]


def observations(bundle: Json, code: str) -> list[Json]:
    return [found for found in resources(bundle, "Observation") if code in codes(found["code"])]


def by_record(found: list[Json]) -> dict[str, Json]:
    """Return resources by the id of the record that they represent."""
    named = {}
    for resource in found:
        identifier = resource["identifier"]
        (identifier,) = identifier if isinstance(identifier, list) else [identifier]
        assert identifier["system"] == "urn:ietf:rfc:3986"
        named[identifier["value"].removeprefix("urn:uuid:")] = resource
    return named


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def extension(resource: Json, name: str) -> Any:
    for found in resource.get("extension", ()):
        if found["url"] == f"urn:footing:extension:{name}":
            (value,) = (value for key, value in found.items() if key != "url")
            return value
    return None


def in_database(database_url: str, *statements: Any) -> None:
    async def work() -> None:
        database = Database(Settings(database_url=database_url))
        async with database.write() as db:
            for statement in statements:
                await db.execute(statement)
        await database.close()

    asyncio.run(work())


@pytest.fixture
def device_with_history(device: Device, clock: FakeClock) -> Device:
    """A device with everything on the server that can be there."""
    device.enrol(conditions=["diabetes", "gout"], age_band="age_40_49", language="es-MX")
    upload_full_history(device, clock)
    for research in (True, False):
        clock.advance(minutes=1)
        consent = {"version": CONSENT_VERSION, "storage": True, "research": research}
        assert device.put("/v1/me/consent", consent).status_code == 200
    return device


def test_a_full_history_is_valid_fhir_in_which_every_reference_leads_somewhere(
    device_with_history: Device,
) -> None:
    bundle = bundle_of(device_with_history)
    Bundle.model_validate(bundle)
    there = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(there)) == len(there)
    assert [f"urn:uuid:{entry['resource']['id']}" for entry in bundle["entry"]] == there
    assert set(references(bundle)) <= set(there)
    assert len(set(references(bundle))) > 10
    assert (bundle["type"], bundle["timestamp"]) == ("collection", lived_at(device_with_history))


def lived_at(device: Device) -> str:
    exported_at: str = device.get("/v1/me/export").json()["exported_at"]
    return exported_at


def test_it_is_the_same_document_every_time(device_with_history: Device) -> None:
    assert bundle_of(device_with_history) == bundle_of(device_with_history)


def test_the_person_is_a_pseudonym_with_the_conditions_they_gave(
    device_with_history: Device,
) -> None:
    bundle = bundle_of(device_with_history)
    (patient,) = resources(bundle, "Patient")
    assert by_record([patient]).keys() == {device_with_history.participant_id}
    assert not {"name", "telecom", "birthDate", "gender", "address"} & patient.keys()
    assert extension(patient, "age-band") == "age_40_49"
    assert extension(patient, "region") is None
    assert codes(patient["communication"][0]["language"]) == ["es-MX"]
    conditions = resources(bundle, "Condition")
    assert [codes(found["code"]) for found in conditions] == [["diabetes"], ["gout"]]
    assert {codes(found["verificationStatus"])[0] for found in conditions} == {"unconfirmed"}


def test_every_session_is_there_with_the_figures_of_the_json_export(
    device_with_history: Device,
) -> None:
    bundle, export = bundle_of(device_with_history), device_with_history.get("/v1/me/export").json()
    procedures = by_record(resources(bundle, "Procedure"))
    assert procedures.keys() == {session["id"] for session in export["sessions"]}
    assert len(procedures) == 9
    replaced = {session["replaces"] for session in export["sessions"]}
    for session in export["sessions"]:
        procedure = procedures[session["id"]]
        period = {"start": session["started_at"], "end": session["ended_at"]}
        assert procedure["performedPeriod"] == period
        assert procedure["meta"]["lastUpdated"] == session["received_at"]
        assert codes(procedure["statusReason"]) == [session["status"]]
        assert (
            codes(procedure["code"]) == [session["routine_id"]] if session["routine_id"] else True
        )
        assert extension(procedure, "local-date") == session["local_date"]
        assert extension(procedure, "time-zone") == session["time_zone"]
        kind = "completed" if session["status"] == "completed" else "stopped"
        wrong = session["id"] in replaced
        assert procedure["status"] == ("entered-in-error" if wrong else kind)
        # A text of spaces alone is none to FHIR.
        note = [{"text": session["note"]}] if (session["note"] or "").strip() else None
        assert procedure.get("note") == note
        link = extension(procedure, "replaces")
        if session["replaces"] is None:
            assert link is None
        elif session["replaces"] in procedures:
            assert link == {"reference": f"urn:uuid:{procedures[session['replaces']]['id']}"}
        else:
            assert link["identifier"]["value"] == f"urn:uuid:{session['replaces']}"
        parts = [
            found
            for found in resources(bundle, "Observation")
            if {"reference": f"urn:uuid:{procedure['id']}"} in found.get("partOf", ())
        ]
        assert figures(parts) == {
            name: session[name]
            for name in ("pain_before", "pain_after", "effort")
            if session[name] is not None
        }
        assert activities(parts) == session["items"]
        assert ({found["status"] for found in parts} <= {"entered-in-error"}) == wrong or not parts


def figures(parts: list[Json]) -> Json:
    found: Json = {}
    for part in parts:
        code = codes(part["code"])[-1].replace("-", "_")
        if "valueInteger" in part:
            assert (LOINC_PAIN[1] in codes(part["code"])) == code.startswith("pain")
            found[code] = part["valueInteger"]
    return found


def activities(parts: list[Json]) -> list[Json]:
    items = []
    for part in parts:
        if codes(part["category"][0]) != ["activity"]:
            continue
        item: Json = {
            "activity_id": codes(part["code"])[0],
            "kind": codes(part["category"][1])[0],
            "side": codes(part["bodySite"])[0],
        }
        for component in part.get("component", ()):
            item[codes(component["code"])[0].replace("-", "_")] = component["valueInteger"]
        if "dataAbsentReason" in part:
            assert codes(part["dataAbsentReason"]) == ["not-performed"]
            item["skipped"] = True
        items.append(item)
    return items


def test_every_report_is_there_with_every_answer(device_with_history: Device) -> None:
    bundle, export = bundle_of(device_with_history), device_with_history.get("/v1/me/export").json()
    responses = by_record(resources(bundle, "QuestionnaireResponse"))
    assert responses.keys() == {report["id"] for report in export["symptom_reports"]}
    assert max(len(report["answers"]) for report in export["symptom_reports"]) > 40
    rule_set_of = {each["id"]: each["rule_set_hash"] for each in export["decisions"]}
    rule_set = device_with_history.client.get("/v1/triage/rule-set").json()
    # In the person's own language: the practice they take it to speaks it too.
    asked = {question["id"]: question["text"]["es"] for question in rule_set["questions"]}
    for report in export["symptom_reports"]:
        response = responses[report["id"]]
        named = f"urn:footing:questionnaire:{rule_set_of[report['decision_id']]}"
        assert response["questionnaire"] == named
        assert response["authored"] == report["reported_at"]
        assert extension(response, "local-date") == report["local_date"]
        given: Json = {}
        for item in response.get("item", ()):
            (answer,) = item["answer"]
            (value,) = answer.values()
            assert item["text"] == asked.get(item["linkId"], item["linkId"].capitalize())
            given[item["linkId"]] = value["code"] if isinstance(value, dict) else value
        own = ("pain_score", "weeks", "trend", "age_years", "country")
        expected = {name: report[name] for name in own if report[name] is not None}
        if report["note"]:
            expected["note"] = report["note"].replace("\x01", "\ufffd")
        assert given == expected | report["answers"]


def test_every_decision_is_there_and_says_which_one_counts(device_with_history: Device) -> None:
    bundle, export = bundle_of(device_with_history), device_with_history.get("/v1/me/export").json()
    found = by_record(observations(bundle, "triage-decision"))
    assert found.keys() == {decision["id"] for decision in export["decisions"]}
    current = {report["decision_id"] for report in export["symptom_reports"]}
    responses = by_record(resources(bundle, "QuestionnaireResponse"))
    superseded = 0
    for decision in export["decisions"]:
        resource = found[decision["id"]]
        assert codes(resource["valueCodeableConcept"]) == [decision["level"]]
        assert resource["issued"] == decision["evaluated_at"]
        assert codes(resource["method"]) == [decision["rule_set_hash"]]
        origin = responses[decision["report_id"]]["id"]
        assert resource["derivedFrom"] == [{"reference": f"urn:uuid:{origin}"}]
        parts = {codes(part["code"])[0]: part for part in resource["component"]}
        status = parts["activity-status"]["valueCodeableConcept"]
        assert codes(status) == [decision["activity_status"]]
        answered = {name for name, part in parts.items() if "dataAbsentReason" not in part}
        assert set(decision["fired"]) <= answered
        assert set(decision["undecided"]) == parts.keys() - answered
        notes = [note["text"] for note in resource["note"]]
        assert decision["document"]["message"] in notes
        assert decision["document"]["disclaimer"] in notes
        link = extension(resource, "supersedes")
        if decision["supersedes"] is not None:
            assert link == {"reference": f"urn:uuid:{found[decision['supersedes']]['id']}"}
        assert (link is None) == (decision["supersedes"] is None)
        assert (extension(resource, "superseded-by") is None) == (decision["id"] in current)
        superseded += decision["id"] not in current
    assert superseded >= 2


def test_holds_and_clearances_say_what_is_in_force(device_with_history: Device) -> None:
    bundle, export = bundle_of(device_with_history), device_with_history.get("/v1/me/export").json()
    flags = resources(bundle, "Flag")
    asked = sum(len(hold["rules"]) for hold in export["activity_holds"])
    assert len(flags) == asked > 2
    in_force = device_with_history.get("/v1/me/progress").json()["activities"]["rule_ids"]
    active = {
        extension(flag, "rule")["code"]: codes(flag["code"])[0]
        for flag in flags
        if flag["status"] == "active"
    }
    assert sorted(active) == in_force
    assert {flag["status"] for flag in flags} == {"active", "inactive"}
    (clearance,) = observations(bundle, "clearance")
    assert clearance["effectiveDateTime"] == export["clearances"][0]["cleared_at"]


def test_what_was_deleted_is_gone_and_its_hold_stays_without_it(
    device_with_history: Device,
) -> None:
    export = device_with_history.get("/v1/me/export").json()
    for name, path in (("sessions", "sessions"), ("symptom_reports", "symptom-reports")):
        for record in export[name]:
            url = f"/v1/{path}/{record['id']}"
            assert device_with_history.client.delete(
                url, headers=device_with_history.headers
            ).is_success
    bundle = bundle_of(device_with_history)
    Bundle.model_validate(bundle)
    there = {entry["fullUrl"] for entry in bundle["entry"]}
    assert set(references(bundle)) <= there
    assert NOTE not in json.dumps(bundle)
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert not {"Procedure", "QuestionnaireResponse"} & kinds
    flags = resources(bundle, "Flag")
    held = device_with_history.get("/v1/me/export").json()["activity_holds"]
    assert len(flags) == sum(len(hold["rules"]) for hold in held) > 0
    assert "flag-detail" not in json.dumps(flags)


def test_storage_and_research_are_consents_of_their_own_with_their_history(
    device_with_history: Device,
) -> None:
    bundle, export = bundle_of(device_with_history), device_with_history.get("/v1/me/export").json()
    consents = resources(bundle, "Consent")
    assert len(consents) == 2 * len(export["consents"]) == 6
    seen = {
        (codes(found["policyRule"])[0], found["dateTime"], codes(found["scope"])[0]): (
            found["status"],
            found["provision"]["type"],
        )
        for found in consents
    }
    newest = max(consent["number"] for consent in export["consents"])
    for consent in export["consents"]:
        status = "active" if consent["number"] == newest else "inactive"
        for scope, granted in (("patient-privacy", "storage"), ("research", "research")):
            expected = (status, "permit" if consent[granted] else "deny")
            assert seen[consent["version"], consent["given_at"], scope] == expected


def test_nothing_secret_is_in_it(device_with_history: Device, client: httpx.Client) -> None:
    other = Device(client)
    code = other.enrol()["recovery_code"]
    text = json.dumps(bundle_of(device_with_history)) + json.dumps(bundle_of(other))
    assert NOTE in text
    for device in (device_with_history, other):
        device_id, secret = device.token.split("_")[-2:]
        assert device_id not in text.replace("-", "")
        assert secret not in text
    assert code not in text
    assert "hash" not in text


def test_a_participant_without_records_gets_a_valid_bundle(device: Device) -> None:
    bundle = bundle_of(device)
    Bundle.model_validate(bundle)
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == [
        "Patient",
        "Consent",
        "Consent",
    ]


def test_the_example_in_the_openapi_document_is_fhir() -> None:
    Bundle.model_validate(FHIR_EXAMPLE)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json, application/fhir+json", "application/json"),
        ("application/json;q=0.5, application/fhir+json", FHIR),
        ("application/fhir+json; fhirVersion=4.3", FHIR),
        ("application/fhir+json;q=0.9, text/html;q=0.1", FHIR),
        ("APPLICATION/FHIR+JSON", FHIR),
        ("text/csv, */*;q=0.1", "application/json"),
    ],
)
def test_accept_chooses_between_json_and_fhir(device: Device, accept: str, media_type: str) -> None:
    response = device.client.get("/v1/me/export", headers=device.headers | {"Accept": accept})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == media_type
    assert response.headers["Vary"] == "Accept"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "accept", ["application/fhir+xml", "text/csv", "application/json;q=0", "nonsense"]
)
def test_an_unavailable_media_type_is_rejected_with_the_available_ones(
    device: Device, accept: str
) -> None:
    response = device.client.get("/v1/me/export", headers=device.headers | {"Accept": accept})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")
    assert "application/json, application/fhir+json" in response.json()["detail"]


# A long life.


def sessions(participant_id: str, count: int, **changes: Any) -> Any:
    start = datetime.datetime(2026, 1, 1, 8, tzinfo=datetime.UTC)
    item = {"activity_id": "toe-curls", "kind": "exercise", "side": "left", "seconds": 150}
    rows = [
        {
            "participant_id": uuid.UUID(participant_id),
            "id": uuid.uuid4(),
            "content_hash": "0" * 64,
            "received_at": start,
            "started_at": start,
            "ended_at": start,
            "local_date": start.date(),
            "time_zone": "Europe/Madrid",
            "status": "completed",
            "items": [item, item | {"side": "right"}],
            "pain_before": 5,
            "pain_after": 4,
            **changes,
        }
        for _ in range(count)
    ]
    return insert(ExerciseSession).values(rows)


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Keep out what measures coverage, whose memory would be counted.

    And what the process holds already, which would be looked through in every collection.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.settrace(trace)


async def peak_of(settings: Settings, participant_id: str) -> tuple[int, int]:
    """Return the size of an export, and the most memory it took at any moment."""
    database = Database(settings)
    size = 0
    gc.collect()
    tracemalloc.start()
    pieces = service.export_fhir(database, uuid.UUID(participant_id), FakeClock())
    number = 0
    async for piece in pieces:
        size += len(piece)
        number += 1
        if number % 50 == 0:
            # What is free to go is no memory that the export takes.
            gc.collect()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    await database.close()
    return size, peak


def test_a_longer_life_takes_no_more_memory(client: httpx.Client, database_url: str) -> None:
    settings = Settings(database_url=database_url)
    short, long = Device(client), Device(client)
    for device, count in ((short, 200), (long, 800)):
        device.enrol()
        blank: Json = {"items": [], "pain_before": None, "pain_after": None, "note": "Easier." * 60}
        for _ in range(max(1, count // 100)):
            statement = sessions(device.participant_id, min(100, count), **blank)
            in_database(database_url, statement)
    with untraced():
        # The lower of two: what is compiled or collected by chance meanwhile is no part of it.
        (short_size, short_peak), (long_size, long_peak) = (
            min(asyncio.run(peak_of(settings, device.participant_id)) for _ in range(2))
            for device in (short, long)
        )
    assert long_size > 3.5 * short_size
    assert long_peak < 1.5 * short_peak


@pytest.mark.parametrize("write", [service.export, service.export_fhir])
def test_what_arrives_during_an_export_is_in_the_next_one(
    device: Device, database_url: str, write: Any
) -> None:
    device.post_session(device.session(note="before"))
    owner = uuid.UUID(device.participant_id)

    async def interrupted() -> str:
        database = Database(Settings(database_url=database_url))
        pieces = write(database, owner, FakeClock())
        written = [await anext(pieces), await anext(pieces), await anext(pieces)]
        async with database.write() as db:
            statement = text(
                "UPDATE exercise_session SET note = 'during' WHERE participant_id = :owner"
            )
            bound = statement.bindparams(
                owner=owner if database.dialect == "postgresql" else owner.hex
            )
            assert (await db.execute(bound)).rowcount == 1  # type: ignore[attr-defined]
        written += [piece async for piece in pieces]
        await database.close()
        return b"".join(written).decode()

    document = asyncio.run(interrupted())
    assert "before" in document
    assert "during" not in document
