"""Batches: a receipt for every record, and none that holds up the others."""

import datetime
import json
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from api.journal.models import StoredDecision
from api.triage.rules import compile_rule_set
from api.triage.service import RuleSets
from tests.conftest import AppMaker
from tests.core.stored import in_database
from tests.support.device import Device

Json = dict[str, Any]


def upload(device: Device, **lists: Any) -> list[Json]:
    response = post(device, **lists)
    assert response.status_code == 200, response.text
    receipts: list[Json] = response.json()["receipts"]
    return receipts


def post(device: Device, **lists: Any) -> httpx.Response:
    return device.client.post("/v1/batches", json=lists, headers=device.headers)


def clearance(**changes: Any) -> Json:
    return {"id": str(uuid.uuid4()), "cleared_at": "2026-11-22T09:00:00Z"} | changes


def statuses(receipts: list[Json]) -> list[str]:
    return [receipt["status"] for receipt in receipts]


def test_a_week_offline_is_stored_at_once_with_a_receipt_for_each_record(device: Device) -> None:
    sessions = [device.session() for _ in range(3)]
    reports = [device.report({"radiating_pain": "left"}), device.report(pain_score=2)]
    response = post(
        device,
        device_time="2026-11-22T12:00:30Z",
        clearances=[clearance()],
        symptom_reports=reports,
        sessions=sessions,
    )
    assert response.status_code == 200
    answer = response.json()
    assert answer["server_time"] == "2026-11-22T12:00:00Z"
    assert answer["clock_skew_seconds"] == 30
    kinds = [(receipt["kind"], receipt["index"]) for receipt in answer["receipts"]]
    assert kinds == [
        *(("session", index) for index in range(3)),
        *(("symptom_report", index) for index in range(2)),
        ("clearance", 0),
    ]
    assert set(statuses(answer["receipts"])) == {"created"}
    assert {receipt["action"] for receipt in answer["receipts"]} == {"none"}
    for body, receipt in zip(sessions, answer["receipts"], strict=False):
        assert receipt["id"] == body["id"]
        stored = device.get(f"/v1/sessions/{body['id']}").json()
        assert stored["content_hash"] == receipt["content_hash"]
    for body, receipt in zip(reports, answer["receipts"][3:], strict=False):
        stored = device.get(f"/v1/symptom-reports/{body['id']}").json()
        assert stored["decision"]["level"] == receipt["decision_level"]
    assert answer["receipts"][3]["decision_level"] == "see_professional"


def test_a_repeated_batch_has_the_same_receipts_with_created_now_duplicate(device: Device) -> None:
    bad = device.session(pain_after=11)
    batch: Json = {
        "sessions": [device.session(), bad, device.session()],
        "symptom_reports": [device.report({"bladder_change": "yes"})],
        "clearances": [clearance()],
    }
    first = upload(device, **batch)
    again = upload(device, **batch)
    assert statuses(first) == ["created", "rejected", "created", "created", "created"]
    expected = [
        receipt | {"status": "duplicate"} if receipt["status"] == "created" else receipt
        for receipt in first
    ]
    assert again == expected


def test_what_was_posted_alone_is_a_duplicate_in_a_batch_and_the_reverse(device: Device) -> None:
    alone, batched = device.session(), device.session()
    device.post_session(alone)
    assert statuses(upload(device, sessions=[alone, batched])) == ["duplicate", "created"]
    assert device.post_session(batched).status_code == 200


BAD: list[tuple[str, Any, str, str, str]] = [
    ("sessions", {"pain_after": 11}, "/pain_after", "less_than_equal", "fix"),
    ("sessions", {"ended_at": "2026-11-22T09:00:00Z"}, "/ended_at", "ends_before_start", "fix"),
    ("sessions", {"started_at": "2026-11-24T10:00:00Z"}, "/started_at", "in_the_future", "fix"),
    ("sessions", {"note": "x" * 2_000_000}, "/note", "string_too_long", "fix"),
    ("sessions", {"mood": "fine"}, "/mood", "unknown_field", "fix"),
    (
        "sessions",
        {"items": [{"activity_id": "handstand", "kind": "exercise", "side": "both"}]},
        "/items/0/activity_id",
        "unknown_activity",
        "retry_later",
    ),
    (
        "symptom_reports",
        {"answers": {"mood": "yes"}},
        "/answers/mood",
        "unknown_question",
        "retry_later",
    ),
    ("symptom_reports", {"pain_score": -1}, "/pain_score", "greater_than_equal", "fix"),
    ("clearances", {"cleared_at": "2026-11-23T10:00:00Z"}, "/cleared_at", "in_the_future", "fix"),
    ("sessions", {"id": "no-uuid"}, "/id", "value_error", "fix"),
]


@pytest.mark.parametrize(("name", "change", "pointer", "code", "action"), BAD)
def test_a_bad_record_says_what_and_where_and_the_rest_goes_through(
    device: Device, name: str, change: Json, pointer: str, code: str, action: str
) -> None:
    make = {"sessions": device.session, "symptom_reports": device.report, "clearances": clearance}
    good, bad = make[name](), make[name](**change)
    receipts = upload(device, **{name: [bad, good]})
    assert statuses(receipts) == ["rejected", "created"]
    refused = receipts[0]
    assert (refused["pointer"], refused["code"]) == (f"/{name}/0{pointer}", code)
    assert refused["action"] == action
    assert refused["detail"]
    assert refused["content_hash"] is None
    assert refused["id"] == (None if pointer == "/id" else bad["id"])
    # No other text from the request is returned.
    assert "xxx" not in json.dumps(refused)


@pytest.mark.parametrize("junk", [None, 7, "session", [], [{}], {}, True])
def test_an_unreadable_record_keeps_its_place(device: Device, junk: Any) -> None:
    receipts = upload(device, sessions=[junk, device.session()])
    assert statuses(receipts) == ["rejected", "created"]
    assert receipts[0]["id"] is None
    assert receipts[0]["pointer"].startswith("/sessions/0")


def test_an_id_with_other_content_is_a_conflict_that_names_both_hashes(device: Device) -> None:
    body = device.session()
    stored = device.post_session(body).json()
    changed = body | {"pain_after": 9}
    conflict, other = upload(device, sessions=[changed, device.session()])
    assert (conflict["status"], conflict["code"]) == ("conflict", "id_conflict")
    assert (conflict["action"], conflict["pointer"]) == ("fix", "/sessions/0/id")
    assert stored["content_hash"] in conflict["detail"]
    assert conflict["detail"].count("sent ") == 1
    assert other["status"] == "created"


def test_an_id_that_comes_twice_in_a_batch_is_judged_in_order(device: Device) -> None:
    session = device.session()
    late = device.report(pain_score=3)
    earlier = late | {"reported_at": "2026-11-21T10:00:00Z", "local_date": "2026-11-21"}
    receipts = upload(
        device,
        sessions=[session, session, session | {"pain_after": 8}],
        symptom_reports=[late, earlier],
    )
    assert statuses(receipts) == ["created", "duplicate", "conflict", "created", "conflict"]


def test_ids_of_other_participants_do_not_conflict(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    body = device.session()
    device.post_session(body)
    assert statuses(upload(other, sessions=[body | {"pain_after": 1}])) == ["created"]
    assert device.get(f"/v1/sessions/{body['id']}").json()["pain_after"] == 4


def test_a_batch_of_501_is_refused_whole_and_500_are_taken(device: Device) -> None:
    sessions = [device.session() for _ in range(400)]
    reports = [device.report(pain_score=1) for _ in range(101)]
    refused = post(device, sessions=sessions, symptom_reports=reports)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "too_many_records"
    assert device.get("/v1/changes").json()["items"] == []
    receipts = upload(device, sessions=sessions, symptom_reports=reports[:100])
    assert statuses(receipts) == ["created"] * 500


def test_a_batch_may_be_larger_than_any_other_body(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, max_body_bytes=4096, max_batch_bytes=65536)
    device = Device(client)
    device.enrol()
    sessions = [device.session(note="x" * 400) for _ in range(20)]
    assert statuses(upload(device, sessions=sessions)) == ["created"] * 20
    assert post(device, sessions=sessions * 5).status_code == 413
    assert device.post_session(device.session(note="x" * 5000)).status_code == 413


@pytest.mark.parametrize("device_time", ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00+14:00"])
def test_a_clock_that_is_wrong_by_decades_blocks_nothing(device: Device, device_time: str) -> None:
    response = post(device, device_time=device_time, sessions=[device.session()])
    assert statuses(response.json()["receipts"]) == ["created"]
    assert abs(response.json()["clock_skew_seconds"]) > 10**9


def test_an_empty_batch_has_no_receipts(device: Device) -> None:
    assert upload(device) == []


def test_reports_of_a_batch_in_any_order_end_in_the_same_decisions(
    device: Device, client: TestClient
) -> None:
    made = []
    for day, pain in ((0, 3), (20, None), (50, 6), (60, 0), (70, 7)):
        moment = device.now - datetime.timedelta(days=80 - day)
        made.append(
            device.report(
                pain_score=pain,
                reported_at=moment.isoformat(),
                local_date=moment.date().isoformat(),
            )
        )
    other = Device(client)
    other.enrol()
    for report in made:
        other.post_report(report)
    receipts = upload(device, symptom_reports=made[::-1])
    by_id = {receipt["id"]: receipt["decision_level"] for receipt in receipts}
    for report in made:
        mine = device.get(f"/v1/symptom-reports/{report['id']}").json()["decision"]
        theirs = other.get(f"/v1/symptom-reports/{report['id']}").json()["decision"]
        assert mine["level"] == theirs["level"] == by_id[report["id"]]
        assert mine["history_facts"] == theirs["history_facts"]
        # None was late for another, so none was decided on twice.
        details = device.get(f"/v1/decisions/{mine['id']}").json()
        assert details["supersedes"] is None


def test_a_batch_with_an_old_report_reconsiders_the_newer_ones(device: Device) -> None:
    newer = device.report(pain_score=6)
    assert device.post_report(newer).json()["decision"]["history_facts"] == []
    old = device.report(pain_score=3, reported_at="2026-09-01T10:00:00Z", local_date="2026-09-01")
    upload(device, symptom_reports=[old])
    decision = device.get(f"/v1/symptom-reports/{newer['id']}").json()["decision"]
    assert decision["history_facts"] == ["persistent_in_history", "pain_risen_in_history"]


def test_the_pain_of_a_session_is_not_passed_over_in_silence(device: Device) -> None:
    risen, calm = upload(
        device, sessions=[device.session(pain_before=2, pain_after=9), device.session(pain_after=5)]
    )
    assert risen["decision_level"] == "see_professional"
    assert calm["decision_level"] is None


def test_a_report_in_a_language_that_is_no_longer_there_holds_nothing_up(
    device: Device, database_url: str
) -> None:
    newer = device.report(pain_score=6)
    device.post_report(newer)
    in_database(database_url, lambda db: db.execute(update(StoredDecision).values(language="fr")))
    old = device.report(pain_score=3, reported_at="2026-09-01T10:00:00Z", local_date="2026-09-01")
    assert statuses(upload(device, symptom_reports=[old])) == ["created"]
    decision = device.get(f"/v1/symptom-reports/{newer['id']}").json()["decision"]
    assert decision["language"] == "en"
    assert decision["history_facts"] == ["persistent_in_history", "pain_risen_in_history"]


def test_a_red_flag_is_reported_whichever_rule_set_the_device_used(
    device: Device, client: TestClient
) -> None:
    """A rule set from before a language was added has no texts in it."""
    document = client.get("/v1/triage/rule-set").json()
    shown = {"level": "emergency", "rule_set_hash": "e" * 64}
    english = {**without_spanish(document), "hash": "e" * 64}
    app: Any = client.app
    app.state.context.part(RuleSets)._compiled["e" * 64] = compile_rule_set(english)
    report = device.report({"saddle_numbness": "yes"}, device_decision=shown)
    stored = device.post_report(report, **{"Accept-Language": "es"})
    assert stored.status_code == 201
    assert stored.json()["device_agrees"] is True
    assert stored.json()["decision"]["level"] == "emergency"


def without_spanish(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: without_spanish(value) for key, value in part.items() if key != "es"}
    if isinstance(part, list):
        return [without_spanish(value) for value in part]
    return part


def test_a_batch_without_a_token_is_refused(client: TestClient) -> None:
    assert client.post("/v1/batches", json={}).status_code == 401
