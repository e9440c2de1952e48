"""A report that is not stored still gets a decision."""

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.triage.schemas import Decision
from tests.conftest import AppMaker
from tests.support.budget import budget
from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device, Json
from tests.triage.generators import ODD_NAMES, ODD_VALUES

NUMB = {"saddle_numbness": "yes"}
Refusal = Callable[[Device, Json], httpx.Response]


def withdraw(device: Device) -> None:
    consent = {"version": CONSENT_VERSION, "storage": False, "research": False}
    assert device.put("/v1/me/consent", consent).status_code == 200


def erase(device: Device) -> None:
    assert device.delete("/v1/me").status_code == 200


def withdraw_consent(device: Device, body: Json) -> httpx.Response:
    withdraw(device)
    return device.post_report(body)


def send_other_content(device: Device, body: Json) -> httpx.Response:
    assert device.post_report({**body, "answers": {}}).status_code == 201
    return device.post_report(body)


def erase_first(device: Device, body: Json) -> httpx.Response:
    erase(device)
    return device.post_report(body)


REFUSALS: dict[str, tuple[int, Refusal]] = {
    "storage_consent_withdrawn": (403, withdraw_consent),
    "id_conflict": (409, send_other_content),
    "erased": (410, erase_first),
    "unknown question": (422, lambda device, body: device.post_report(odd(body, headache="yes"))),
    "bad number": (422, lambda device, body: device.post_report({**body, "weeks": 1.5})),
    "no id": (422, lambda device, body: device.post_report({**body, "id": None})),
    "in the future": (
        422,
        lambda device, body: device.post_report({**body, "reported_at": "2027-06-01T10:00:00Z"}),
    ),
    "unknown field": (422, lambda device, body: device.post_report({**body, "mood": "low"})),
}


def odd(body: Json, **answers: Any) -> Json:
    return {**body, "answers": {**body["answers"], **answers}}


def evaluated(device: Device, body: Json) -> Json:
    """Evaluate what was sent without storing it."""
    response = device.client.post(
        "/v1/triage/evaluations",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 200
    decision: Json = response.json()
    return decision


def but_for_what_is_ignored(decision: Json) -> Json:
    return {**decision, "ignored": None, "ignored_total": None}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_rejected_report_gets_a_decision_in_the_problem(device: Device, name: str) -> None:
    status, refuse = REFUSALS[name]
    body = device.report(NUMB, pain_score=3)
    before = evaluated(device, body)
    response = refuse(device, body)
    assert response.status_code == status
    decision = response.json()["decision"]
    assert Decision.model_validate(decision).model_dump(mode="json") == decision
    assert decision["level"] == "emergency"
    assert decision["id"] is None
    assert decision["history_facts"] == []
    assert decision["reasons"][0]["rule_id"] == "E01"
    assert decision["headline"] == before["headline"]


def test_the_usable_parts_are_decided_on_and_the_others_are_listed(device: Device) -> None:
    body = odd(device.report(NUMB, pain_score=11, note=7), headache="yes")
    problem = device.post_report(body).json()
    assert {fault["pointer"] for fault in problem["errors"]} == {"/pain_score", "/note"}
    # The note and the moment of a report are no part of what is decided on.
    assert problem["decision"]["ignored"] == [
        {"pointer": "/answers/headache", "code": "unknown_question"},
        {"pointer": "/pain_score", "code": "invalid_value"},
    ]
    assert problem["decision"]["level"] == "emergency"


def test_the_decision_does_not_use_history(device: Device) -> None:
    device.post_report(device.report({}, pain_score=2))
    device.now += datetime.timedelta(hours=1)
    refused = device.post_report(device.report({}, pain_score=9, mood="low")).json()["decision"]
    assert refused["history_facts"] == []
    stored = device.post_report(device.report({}, pain_score=9)).json()["decision"]
    assert stored["history_facts"] == ["pain_risen_in_history"]


def test_without_authentication_there_is_no_decision_but_an_evaluation(device: Device) -> None:
    body = device.report(NUMB)
    for token in ("", "fp_nothing"):
        headers = {"Authorization": f"Bearer {token}"}
        response = device.client.post("/v1/symptom-reports", json=body, headers=headers)
        assert response.status_code == 401
        assert response.json()["decision"] is None
    assert evaluated(device, body)["level"] == "emergency"


def test_a_clinicians_key_gets_no_decision(
    device: Device, database_url: str, clock: FakeClock
) -> None:
    report = device.report(NUMB)
    for key in (give_key(database_url, clock), "fc_whatever"):
        headers = {"Authorization": f"Bearer {key}"}
        for path, body in (
            ("/v1/symptom-reports", report),
            ("/v1/batches", {"symptom_reports": [report]}),
        ):
            response = device.client.post(path, json=body, headers=headers)
            assert response.status_code == 403
            assert response.json()["decision"] is None
    assert evaluated(device, report)["level"] == "emergency"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        ("{", "application/json", 422),
        ("[]", "application/json", 422),
        ("null", "application/json", 422),
        ("", "application/json", 422),
        ('"' + "x" * 2**20 + '"', "application/json", 413),
        ("a=1", "text/plain", 415),
    ],
)
def test_an_unreadable_report_gets_the_cautious_outcome(
    device: Device, content: str, media_type: str, status: int
) -> None:
    headers = {**device.headers, "Content-Type": media_type}
    response = device.client.post("/v1/symptom-reports", content=content, headers=headers)
    assert response.status_code == status
    decision = response.json()["decision"]
    assert decision["actions"][0]["code"] == "cannot_evaluate"
    assert (decision["level"], decision["activities"]["status"]) == ("urgent", "stop")


def test_other_endpoints_reject_without_a_decision(device: Device) -> None:
    assert device.post_session({}).json()["decision"] is None
    assert device.get("/v1/symptom-reports", cursor="x").json()["decision"] is None
    assert device.get(f"/v1/symptom-reports/{uuid.uuid4()}").json()["decision"] is None
    assert device.delete(f"/v1/symptom-reports/{uuid.uuid4()}").json()["decision"] is None


@pytest.mark.parametrize(
    ("enrolled", "headers", "language"),
    [
        ("es", {}, "es"),
        ("en", {"Accept-Language": "es"}, "es"),
        ("es", {"Accept-Language": "en"}, "en"),
    ],
)
def test_it_speaks_the_language_that_was_asked_for_or_else_the_one_of_the_enrolment(
    database_url: str,
    make_client: AppMaker,
    enrolled: str,
    headers: dict[str, str],
    language: str,
) -> None:
    client = make_client(database_url=database_url)
    device = Device(client)
    device.enrol(language=enrolled)
    response = device.post_report(device.report(NUMB, mood="low"), **headers)
    assert response.json()["decision"]["language"] == language


@pytest.mark.parametrize("address", ["?foo=1", "?lang=xx", "?lang=xx&foo=1", "?lang="])
@pytest.mark.parametrize("path", ["/v1/symptom-reports", "/v1/batches"])
def test_the_language_of_the_enrolment_is_kept_whatever_the_address_says(
    database_url: str, make_client: AppMaker, path: str, address: str
) -> None:
    device = Device(make_client(database_url=database_url))
    device.enrol(language="es-MX")
    report = device.report(NUMB)
    body = report if path == "/v1/symptom-reports" else {"symptom_reports": [report]}
    response = device.client.post(path + address, json=body, headers=device.headers)
    assert response.status_code == 422
    decision = response.json()["decision"]
    assert (decision["level"], decision["language"]) == ("emergency", "es")


def test_a_fault_of_ours_is_explained_in_the_language_of_the_enrolment_as_well(
    database_url: str, make_client: AppMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    device = Device(make_client(database_url=database_url))
    device.enrol(language="es")
    monkeypatch.setattr("api.journal.service.decide", fail)
    response = device.post_report(device.report(NUMB))
    assert response.status_code == 500
    assert response.json()["decision"]["language"] == "es"


def send_batch(device: Device, body: Any) -> httpx.Response:
    return device.client.post(
        "/v1/batches",
        content=json.dumps(body),
        headers={**device.headers, "Content-Type": "application/json"},
    )


def batch(device: Device, *reports: Any) -> list[Json]:
    response = send_batch(device, {"symptom_reports": reports})
    assert response.status_code == 200, response.text
    receipts: list[Json] = response.json()["receipts"]
    return receipts


def test_the_receipt_of_a_refused_report_says_what_to_do(device: Device) -> None:
    stored = device.report({"radiating_pain": "left"})
    taken = device.report()
    assert device.post_report(taken).status_code == 201
    sent = [
        stored,
        odd(device.report(NUMB), headache="yes"),
        device.report({"fever": "yes"}, pain_score=2.5),
        {**taken, "answers": NUMB},
        {"answers": NUMB},
        "no report",
        None,
    ]
    receipts = batch(device, *sent)
    assert [(receipt["status"], receipt["decision_level"]) for receipt in receipts] == [
        ("created", "see_professional"),
        ("rejected", "emergency"),
        ("rejected", "urgent"),
        ("conflict", "emergency"),
        ("rejected", "emergency"),
        ("rejected", "urgent"),
        ("rejected", "urgent"),
    ]
    for body, receipt in zip(sent[:5], receipts, strict=False):
        assert receipt["decision_headline"] == evaluated(device, body)["headline"]  # type: ignore[arg-type]
    assert receipts[6]["decision_headline"] == "Get medical advice today"


@pytest.mark.parametrize(
    ("status", "before", "beside"),
    [
        (403, withdraw, {}),
        (410, erase, {}),
        (422, None, {"mood": "low"}),
        (422, None, {"clearances": [{}] * 501}),
        (422, None, {"sessions": [{}] * 499}),
    ],
    ids=["withdrawn", "erased", "unknown field", "too many of a kind", "too many together"],
)
def test_a_batch_refused_as_a_whole_is_answered_with_the_strictest_decision_on_its_reports(
    device: Device, status: int, before: Callable[[Device], None] | None, beside: Json
) -> None:
    mild, numb = device.report({"radiating_pain": "left"}), odd(device.report(NUMB), headache="yes")
    if before is not None:
        before(device)
    response = send_batch(device, {"symptom_reports": [mild, numb], **beside})
    assert response.status_code == status
    decision = response.json()["decision"]
    assert Decision.model_validate(decision).model_dump(mode="json") == decision
    assert decision["level"] == "emergency"
    assert decision["id"] is None
    assert decision == evaluated_report(device, numb)


def evaluated_report(device: Device, body: Json) -> Json:
    """Evaluate what is reported, without the fields of a record."""
    return evaluated(device, {"answers": body["answers"]})


@pytest.mark.parametrize(
    ("reports", "level"),
    [
        ([{"answers": {"radiating_pain": "left"}}, {}], "see_professional"),
        # Something that is not a report is doubt, and so are more reports than are evaluated.
        ([{"answers": {"radiating_pain": "left"}}, None], "urgent"),
        ({"answers": NUMB}, "urgent"),
        ([{"answers": NUMB}] + [{}] * 500, "emergency"),
        ([{}] * 500 + [{"answers": NUMB}], "urgent"),
    ],
    ids=["two", "no report", "no list", "too many", "too many to look at"],
)
def test_doubt_about_the_reports_of_a_refused_batch_asks_for_care(
    device: Device, reports: Any, level: str
) -> None:
    withdraw(device)
    response = send_batch(device, {"symptom_reports": reports})
    assert response.status_code in {403, 422}
    assert response.json()["decision"]["level"] == level


@pytest.mark.parametrize("body", [{}, {"symptom_reports": []}, {"symptom_reports": None}, [], None])
def test_a_refused_batch_without_reports_is_answered_without_a_decision(
    device: Device, body: Any
) -> None:
    withdraw(device)
    response = send_batch(device, body)
    assert response.status_code in {403, 422}
    assert response.json()["decision"] is None


def test_an_internal_error_still_gives_a_decision(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("api.triage.refusals.decide", fail)
    with structlog.testing.capture_logs() as logs:
        decision = device.post_report(device.report(NUMB, mood="low")).json()["decision"]
        assert decision["actions"][0]["code"] == "cannot_evaluate"
        monkeypatch.setattr("api.journal.service.decide", fail)
        response = device.post_report(device.report(NUMB))
        assert response.status_code == 500
        assert response.json()["decision"]["level"] == "urgent"
        assert batch(device, device.report(NUMB))[0]["decision_level"] == "urgent"
    assert "cannot decide on a rejected report" in {entry["event"] for entry in logs}


@pytest.mark.fuzz
def test_a_refused_report_is_answered_as_the_evaluation_of_it_is(
    database_url: str, make_client: AppMaker
) -> None:
    plenty = "1000000/minute"
    client = make_client(
        database_url=database_url, rate_limit_public=plenty, rate_limit_participant=plenty
    )
    device = Device(client)
    device.enrol()
    rule_set = client.get("/v1/triage/rule-set").json()
    questions = [question["id"] for question in rule_set["questions"]]
    choices = sorted({choice["id"] for q in rule_set["questions"] for choice in q["choices"]})
    names = st.sampled_from([*questions, *ODD_NAMES])
    values = st.sampled_from([*choices, *ODD_VALUES])
    fields = st.sampled_from(["reported_at", "local_date", "time_zone", "note", "device_decision"])

    @settings(
        max_examples=budget(quick=20, full=500),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        answers=st.dictionaries(names, values, max_size=6),
        beside=st.dictionaries(names | fields, values, max_size=2),
    )
    def refused(answers: Json, beside: Json) -> None:
        body = {**device.report(answers), **beside}
        response = client.post(
            "/v1/symptom-reports",
            content=json.dumps(body),
            headers={**device.headers, "Content-Type": "application/json"},
        )
        if response.status_code == 201:
            return
        assert response.status_code == 422
        meant = evaluated(device, body)
        decision = response.json()["decision"]
        assert but_for_what_is_ignored(decision) == but_for_what_is_ignored(meant)
        (receipt,) = batch(device, body)
        assert receipt["status"] == "rejected"
        assert (receipt["decision_level"], receipt["decision_headline"]) == (
            decision["level"],
            decision["headline"],
        )

    refused()
