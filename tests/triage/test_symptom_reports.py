"""Symptom reports: stored once with one decision, and readable only by their participant."""

import datetime
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.clock import FakeClock
from tests.support.device import Device, Json

LEFT_LEG = {"radiating_pain": "left"}


def test_a_report_gets_its_decision(device: Device) -> None:
    body = device.report(LEFT_LEG, pain_score=4, weeks=2, trend="same", age_years=42, country="ES")
    response = device.post_report(body | {"note": "Down to the ankle."})
    assert response.status_code == 201
    assert response.headers["Location"] == f"/v1/symptom-reports/{body['id']}"
    stored = response.json()
    assert stored["answers"] == LEFT_LEG
    assert stored["note"] == "Down to the ankle."
    assert stored["reported_at"] == "2026-11-22T10:00:00Z"
    assert stored["received_at"] == "2026-11-22T12:00:00Z"
    decision = stored["decision"]
    assert decision["see_professional"] is True
    assert "P01" in {reason["rule_id"] for reason in decision["reasons"]}
    assert decision["evaluated_at"] == "2026-11-22T12:00:00Z"
    assert device.get(f"/v1/symptom-reports/{body['id']}").json() == stored


def test_null_for_an_unknown_question_is_no_answer(device: Device) -> None:
    stored = device.post_report(device.report({**LEFT_LEG, "headache": None, "weeks": None}))
    assert stored.status_code == 201
    assert stored.json()["answers"] == LEFT_LEG
    replay = device.client.post(
        f"/v1/decisions/{stored.json()['decision']['id']}/replay", headers=device.headers
    )
    assert replay.json()["identical"] is True


def test_a_report_without_answers_is_stored_as_incomplete(device: Device) -> None:
    response = device.post_report(device.report())
    assert response.status_code == 201
    decision = response.json()["decision"]
    assert decision["level"] == "screening_incomplete"
    assert decision["see_professional"] is False


def test_the_same_report_again_gets_the_same_decision_even_in_another_language(
    device: Device, clock: FakeClock
) -> None:
    body = device.report(LEFT_LEG)
    first = device.post_report(body)
    clock.advance(hours=3)
    again = device.post_report(body, **{"Accept-Language": "es"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["Content-Language"] == "en"
    assert len(device.get("/v1/symptom-reports").json()["items"]) == 1


def test_the_same_content_written_differently_is_the_same_report(device: Device) -> None:
    body = device.report(LEFT_LEG, pain_score=3)
    device.post_report(body)
    shouted = body | {
        "id": body["id"].upper(),
        "reported_at": "2026-11-22T11:00:00.9+01:00",
        "pain_score": 3.0,
        "weeks": None,
        "answers": {**LEFT_LEG, "fever": None},
    }
    assert device.post_report(shouted).status_code == 200


@pytest.mark.parametrize(
    "change",
    [{"pain_score": 9}, {"answers": {"radiating_pain": "right"}}, {"note": "Other words."}],
)
def test_an_id_with_other_content_is_a_conflict_and_changes_nothing(
    device: Device, change: dict[str, Any]
) -> None:
    body = device.report(LEFT_LEG, pain_score=3)
    stored = device.post_report(body).json()
    response = device.post_report(body | change)
    assert response.status_code == 409
    assert response.json()["code"] == "id_conflict"
    assert stored["content_hash"] in response.json()["detail"]
    assert device.get(f"/v1/symptom-reports/{body['id']}").json() == stored


def test_the_decisions_id_follows_from_report_rule_set_and_facts(
    device: Device, client: TestClient
) -> None:
    body = device.report(LEFT_LEG)
    first = device.post_report(body).json()["decision"]
    assert uuid.UUID(first["id"]).version == 5
    assert device.get(f"/v1/symptom-reports/{body['id']}").json()["decision"]["id"] == first["id"]
    other = Device(client)
    other.enrol()
    assert other.post_report(body | {"note": "x"}).json()["decision"]["id"] == first["id"]
    changed = body | {"answers": {"radiating_pain": "right"}}
    another = Device(client)
    another.enrol()
    assert another.post_report(changed).json()["decision"]["id"] != first["id"]
    assert device.post_report(device.report(LEFT_LEG)).json()["decision"]["id"] != first["id"]


def test_a_stored_decision_equals_that_of_the_stateless_evaluation(
    device: Device, client: TestClient
) -> None:
    report: Json = {"pain_score": 8, "answers": {"radiating_pain": "left", "fever": "no"}}
    stored = device.post_report(device.report(**report)).json()["decision"]
    stateless = client.post("/v1/triage/evaluations", json=report).json()
    assert {**stored, "id": None} == stateless


def test_reports_are_listed_newest_first_page_by_page(device: Device) -> None:
    for hour in (3, 1, 2):
        device.now = datetime.datetime(2026, 11, 22, hour, tzinfo=datetime.UTC)
        device.post_report(device.report(LEFT_LEG))
    first = device.get("/v1/symptom-reports", limit=2).json()
    rest = device.get("/v1/symptom-reports", limit=2, cursor=first["next_cursor"]).json()
    seen = [item["reported_at"] for item in (*first["items"], *rest["items"])]
    assert seen == [f"2026-11-22T0{hour}:00:00Z" for hour in (3, 2, 1)]
    assert rest["next_cursor"] is None
    assert {item["decision"]["level"] for item in first["items"]} == {"see_professional"}


def test_two_reports_of_the_same_instant_are_each_listed_once(device: Device) -> None:
    ids = {device.post_report(device.report()).json()["id"] for _ in range(5)}
    seen: list[str] = []
    cursor = None
    while True:
        page = device.get(
            "/v1/symptom-reports", limit=2, **({"cursor": cursor} if cursor else {})
        ).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(ids)


def test_another_persons_report_is_not_found(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    body = other.report(LEFT_LEG)
    other.post_report(body)
    assert device.get(f"/v1/symptom-reports/{body['id']}").status_code == 404
    assert device.get("/v1/symptom-reports").json()["items"] == []


@pytest.mark.parametrize(
    ("enrolled", "headers", "params", "language"),
    [
        ("es-MX", {}, {}, "es"),
        ("en", {}, {}, "en"),
        ("fr", {}, {}, "en"),
        ("es", {"Accept-Language": "en-GB,en;q=0.9"}, {}, "en"),
        ("en", {"Accept-Language": "en"}, {"lang": "es"}, "es"),
    ],
)
def test_the_language_is_the_requested_one_or_that_of_the_enrolment(
    client: TestClient,
    enrolled: str,
    headers: dict[str, str],
    params: dict[str, str],
    language: str,
) -> None:
    device = Device(client)
    device.enrol(language=enrolled)
    # Without the test client's own Accept-Language, since a device may send none.
    response = client.post(
        "/v1/symptom-reports",
        json=device.report(LEFT_LEG),
        params=params,
        headers={**device.headers, **headers},
    )
    assert response.status_code == 201
    assert response.json()["decision"]["language"] == language
    assert response.headers["Content-Language"] == language


def test_an_unknown_lang_is_rejected_and_nothing_is_stored(device: Device) -> None:
    response = device.client.post(
        "/v1/symptom-reports",
        json=device.report(LEFT_LEG),
        params={"lang": "fr"},
        headers=device.headers,
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/lang"
    assert response.json()["errors"][0]["code"] == "unknown_language"
    assert "en, es" in response.json()["errors"][0]["message"]
    assert device.get("/v1/symptom-reports").json()["items"] == []


@pytest.mark.parametrize(("language", "words"), [("en", "2026-11-19"), ("es", "2026-11-19")])
def test_the_decision_on_a_late_report_states_its_date(
    device: Device, client: TestClient, language: str, words: str
) -> None:
    late_phrase = client.get("/v1/triage/rule-set").json()["phrases"]["late_report"][language]
    device.now -= datetime.timedelta(days=3)
    response = device.post_report(device.report(LEFT_LEG), **{"Accept-Language": language})
    notices = response.json()["decision"]["notices"]
    assert notices[0] == late_phrase.replace("{date}", words)


def test_the_decision_on_a_report_of_today_does_not_state_its_date(device: Device) -> None:
    notices = device.post_report(device.report(LEFT_LEG)).json()["decision"]["notices"]
    assert "2026-11" not in " ".join(notices)


BAD_REPORTS: list[tuple[dict[str, Any], str, str]] = [
    ({"answers": {"headache": "yes"}}, "/answers/headache", "unknown_question"),
    ({"answers": {"radiating_pain": "yes"}}, "/answers/radiating_pain", "unknown_choice"),
    ({"pain_score": 11}, "/pain_score", "less_than_equal"),
    ({"weeks": -1}, "/weeks", "greater_than_equal"),
    ({"age_years": 300}, "/age_years", "less_than_equal"),
    ({"reported_at": "2026-11-22T10:00:00"}, "/reported_at", "value_error"),
    ({"reported_at": "2026-12-24T10:00:00Z", "local_date": "2026-12-24"}, "/reported_at", "in_"),
    ({"local_date": "yesterday"}, "/local_date", "value_error"),
    ({"id": "7"}, "/id", "value_error"),
    ({"time_zone": ""}, "/time_zone", "string_too_short"),
    ({"mood": "low"}, "/mood", "unknown_field"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), BAD_REPORTS)
def test_an_invalid_field_is_named_and_nothing_is_stored(
    device: Device, change: dict[str, Any], pointer: str, code: str
) -> None:
    response = device.post_report(device.report() | change)
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert fault["pointer"] == pointer
    assert fault["code"].startswith(code)
    assert device.get("/v1/symptom-reports").json()["items"] == []


def test_an_invalid_cursor_is_rejected(device: Device) -> None:
    for cursor in ("x", "!!!", "e30", "WyJhIl0", "WyJhIiwgImIiXQ"):
        response = device.get("/v1/symptom-reports", cursor=cursor)
        assert response.status_code == 422, cursor
        assert response.json()["errors"][0]["pointer"] == "/query/cursor"
        assert response.json()["errors"][0]["code"] == "invalid_cursor"
