"""Deleting a record: it is gone for good, and what it put on hold stays on hold."""

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.support.device import Device

Json = dict[str, Any]


def delete(device: Device, path: str) -> httpx.Response:
    return device.client.delete(path, headers=device.headers)


def live(device: Device) -> set[str]:
    return {item["id"] for item in device.get("/v1/sessions").json()["items"]}


def test_a_deleted_session_is_gone_and_leaves_a_tombstone(device: Device) -> None:
    body = device.session(note="Something private.")
    device.post_session(body)
    assert delete(device, f"/v1/sessions/{body['id']}").status_code == 204
    assert device.get(f"/v1/sessions/{body['id']}").status_code == 404
    assert device.get("/v1/sessions").json()["items"] == []
    items = device.get("/v1/changes").json()["items"]
    # Also the change that brought it has no content any more.
    assert [(item["id"], item["deleted"], item["session"]) for item in items] == [
        (body["id"], True, None),
        (body["id"], True, None),
    ]
    assert "private" not in device.get("/v1/me/export").text


def test_deleting_again_changes_nothing_and_an_id_that_never_was_is_not_found(
    device: Device,
) -> None:
    body = device.session()
    device.post_session(body)
    path = f"/v1/sessions/{body['id']}"
    assert [delete(device, path).status_code for _ in range(3)] == [204, 204, 204]
    assert len(device.get("/v1/changes").json()["items"]) == 2
    assert delete(device, f"/v1/sessions/{device.session()['id']}").status_code == 404
    assert delete(device, f"/v1/symptom-reports/{body['id']}").status_code == 404


def test_another_persons_record_is_not_found_and_stays(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    session, report = other.session(), other.report()
    other.post_session(session)
    other.post_report(report)
    assert delete(device, f"/v1/sessions/{session['id']}").status_code == 404
    assert delete(device, f"/v1/symptom-reports/{report['id']}").status_code == 404
    assert other.get(f"/v1/sessions/{session['id']}").status_code == 200


def test_a_deleted_session_posted_again_is_not_stored_again(device: Device) -> None:
    body = device.session()
    device.post_session(body)
    delete(device, f"/v1/sessions/{body['id']}")
    for again in (body, body | {"pain_after": 9}):
        response = device.post_session(again)
        assert (response.status_code, response.json()["deleted"]) == (200, True)
    batch = {"sessions": [body]}
    answer = device.client.post("/v1/batches", json=batch, headers=device.headers).json()
    (receipt,) = answer["receipts"]
    assert (receipt["status"], receipt["code"], receipt["action"]) == (
        "duplicate",
        "deleted",
        "drop",
    )
    assert live(device) == set()


def test_a_deleted_report_posted_again_is_answered_and_not_stored_again(device: Device) -> None:
    body = device.report({"bladder_change": "yes"})
    first = device.post_report(body).json()
    assert delete(device, f"/v1/symptom-reports/{body['id']}").status_code == 204
    assert device.get(f"/v1/decisions/{first['decision']['id']}").status_code == 404
    again = device.post_report(body)
    assert (again.status_code, again.json()["deleted"]) == (200, True)
    # A red flag always gets a decision, also for a deleted record.
    assert again.json()["decision"]["level"] == first["decision"]["level"] == "emergency"
    assert again.json()["decision"]["id"] is None
    batch = {"symptom_reports": [body]}
    answer = device.client.post("/v1/batches", json=batch, headers=device.headers).json()
    assert answer["receipts"][0]["decision_level"] == "emergency"
    assert device.get("/v1/symptom-reports").json()["items"] == []


def test_deleting_a_report_never_lifts_what_it_put_on_hold(device: Device) -> None:
    body = device.report({"bladder_change": "yes"})
    device.post_report(body)
    before = device.get("/v1/me/progress").json()
    assert before["activities"]["status"] == "stop"
    delete(device, f"/v1/symptom-reports/{body['id']}")
    after = device.get("/v1/me/progress").json()
    assert after["activities"] == before["activities"]
    assert after["last_decision"] is None


def test_deleting_a_report_makes_later_decisions_again(device: Device) -> None:
    old = device.report(pain_score=3, reported_at="2026-09-01T10:00:00Z", local_date="2026-09-01")
    new = device.report(pain_score=6)
    device.post_report(old)
    before = device.post_report(new).json()["decision"]
    assert before["history_facts"] == ["persistent_in_history", "pain_risen_in_history"]
    cursor = device.get("/v1/changes").json()["next_cursor"]
    delete(device, f"/v1/symptom-reports/{old['id']}")
    after = device.get(f"/v1/symptom-reports/{new['id']}").json()["decision"]
    assert after["history_facts"] == []
    items = device.get("/v1/changes", cursor=cursor).json()["items"]
    assert [(item["id"], item["deleted"]) for item in items] == [
        (old["id"], True),
        (new["id"], False),
    ]
    assert items[1]["symptom_report"]["decision"] == after


def test_deleting_the_pain_free_report_between_joins_two_episodes(device: Device) -> None:
    days = (("2026-08-01", 3), ("2026-09-01", 0), ("2026-11-01", 3))
    reports = [
        device.report(pain_score=pain, reported_at=f"{day}T10:00:00Z", local_date=day)
        for day, pain in days
    ]
    for report in reports:
        device.post_report(report)
    last = f"/v1/symptom-reports/{reports[2]['id']}"
    assert device.get(last).json()["decision"]["history_facts"] == []
    delete(device, f"/v1/symptom-reports/{reports[1]['id']}")
    assert device.get(last).json()["decision"]["history_facts"] == ["persistent_in_history"]


def test_deleting_a_correction_takes_what_it_corrects_along(device: Device) -> None:
    first = device.session()
    second = device.session(replaces=first["id"])
    third = device.session(replaces=second["id"])
    unrelated = device.session()
    for body in (first, second, third, unrelated):
        device.post_session(body)
    delete(device, f"/v1/sessions/{third['id']}")
    assert live(device) == {unrelated["id"]}
    assert device.get("/v1/me/progress").json()["sessions_total"] == 1


def test_deleting_an_old_version_keeps_its_correction(device: Device) -> None:
    first = device.session()
    second = device.session(replaces=first["id"])
    device.post_session(first)
    device.post_session(second)
    delete(device, f"/v1/sessions/{first['id']}")
    assert live(device) == {second["id"]}


def test_whatever_arrives_first_a_deleted_chain_stays_gone(
    client: TestClient,
) -> None:
    """The deletion comes right after the newest version, wherever that is in the order."""
    for order in itertools.permutations(range(3)):
        person = Device(client)
        person.enrol()
        first = person.session()
        second = person.session(replaces=first["id"])
        third = person.session(replaces=second["id"])
        versions = [first, second, third]
        for index in order:
            person.post_session(versions[index])
            if index == 2:
                delete(person, f"/v1/sessions/{third['id']}")
        assert live(person) == set(), order


def test_sessions_that_replace_each_other_in_a_circle_can_be_deleted(device: Device) -> None:
    one, other = device.session(), device.session()
    device.post_session(one | {"replaces": other["id"]})
    device.post_session(other | {"replaces": one["id"]})
    assert delete(device, f"/v1/sessions/{one['id']}").status_code == 204
    assert live(device) == set()


def not_a_uuid(device: Device) -> httpx.Response:
    return delete(device, "/v1/sessions/not-a-uuid")


def without_a_token(device: Device) -> httpx.Response:
    return device.client.delete(f"/v1/sessions/{device.session()['id']}")


@pytest.mark.parametrize(("call", "status"), [(not_a_uuid, 422), (without_a_token, 401)])
def test_a_deletion_that_is_not_one_is_refused(
    device: Device, call: Callable[[Device], httpx.Response], status: int
) -> None:
    assert call(device).status_code == status


def test_sending_a_deleted_correction_again_and_again_changes_nothing_more(device: Device) -> None:
    first = device.session()
    second = device.session(replaces=first["id"])
    device.post_session(second)
    delete(device, f"/v1/sessions/{second['id']}")
    before = device.get("/v1/changes").json()["items"]
    for _ in range(3):
        assert device.post_session(second).json()["deleted"] is True
    assert device.get("/v1/changes").json()["items"] == before


def test_a_deleted_id_that_is_reused_takes_nothing_else_along(device: Device) -> None:
    gone, kept = device.session(), device.session()
    device.post_session(gone)
    device.post_session(kept)
    delete(device, f"/v1/sessions/{gone['id']}")
    device.post_session(gone | {"replaces": kept["id"]})
    assert live(device) == {kept["id"]}
