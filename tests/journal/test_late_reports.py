"""A report that arrives late can change what the later ones mean, and never edits a decision."""

import datetime
import itertools
from typing import Any

from starlette.testclient import TestClient

from tests.conftest import AppMaker
from tests.support.device import Device

Json = dict[str, Any]


def reports_over_two_months(device: Device) -> list[Json]:
    made = []
    for day, pain in ((0, 3), (20, 4), (50, 3), (60, 6)):
        device.now = datetime.datetime(2026, 9, 1, 10, tzinfo=datetime.UTC) + datetime.timedelta(
            days=day
        )
        made.append(device.report(pain_score=pain))
    return made


def test_a_late_report_makes_a_new_linked_decision(device: Device) -> None:
    first, _, third, _ = reports_over_two_months(device)
    early = device.post_report(third).json()["decision"]
    assert early["history_facts"] == []
    device.post_report(first)
    now = device.decision_on(third)
    assert now["history_facts"] == ["persistent_in_history"]
    assert "P04" in {reason["rule_id"] for reason in now["reasons"]}
    assert now["id"] != early["id"]
    old = device.get(f"/v1/decisions/{early['id']}").json()
    assert old["decision"] == early
    assert old["superseded_by"] == now["id"]
    new = device.get(f"/v1/decisions/{now['id']}").json()
    assert (new["supersedes"], new["superseded_by"]) == (early["id"], None)


def test_whatever_the_order_of_arrival_the_current_decisions_are_the_same(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_enrolment="1000/minute")
    outcomes = []
    for order in itertools.permutations(range(4)):
        device = Device(client)
        device.enrol()
        made = reports_over_two_months(device)
        for index in order:
            assert device.post_report(made[index]).status_code == 201
        outcomes.append(
            [
                (decision["level"], decision["history_facts"], decision["reasons"])
                for decision in (device.decision_on(report) for report in made)
            ]
        )
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert outcomes[0][3][1] == ["persistent_in_history", "pain_risen_in_history"]


def test_a_late_pain_free_report_ends_the_episode_again(device: Device) -> None:
    first, second, third, _ = reports_over_two_months(device)
    device.post_report(third)
    before = device.decision_on(third)["id"]
    device.post_report(first)
    assert device.decision_on(third)["history_facts"] == ["persistent_in_history"]
    device.post_report(second | {"pain_score": 0})
    assert device.decision_on(third)["history_facts"] == []
    assert device.decision_on(third)["id"] == before


def test_a_late_report_leads_to_the_same_holds_as_an_upload_in_order(
    device: Device, client: TestClient
) -> None:
    first, second, third, _ = (
        report | {"trend": "same", "weeks": 1} for report in reports_over_two_months(device)
    )
    second |= {"pain_score": 0}
    in_order = Device(client)
    in_order.enrol()
    for person, reports in ((in_order, (first, second, third)), (device, (first, third, second))):
        for report in reports:
            assert person.post_report(report).status_code == 201
    expected, late = (person.get("/v1/me/progress").json() for person in (in_order, device))
    assert late["activities"] == expected["activities"]
    assert "P04" not in late["activities"]["rule_ids"]
    # The decision that comes back brings its hold along.
    device.client.delete(f"/v1/symptom-reports/{second['id']}", headers=device.headers)
    assert "P04" in device.get("/v1/me/progress").json()["activities"]["rule_ids"]


def test_several_late_reports_also_change_decisions_after_the_last_of_them(device: Device) -> None:
    first, second, third, _ = reports_over_two_months(device)
    device.post_report(third)
    device.post_report(first)
    assert device.decision_on(third)["history_facts"] == ["persistent_in_history"]
    milder = device.report(
        pain_score=2, reported_at="2026-09-15T10:00:00Z", local_date="2026-09-15"
    )
    late = {"symptom_reports": [milder, second | {"pain_score": 0}]}
    device.client.post("/v1/batches", json=late, headers=device.headers)
    assert device.decision_on(third)["history_facts"] == []


def test_every_decision_replays_to_the_same_bytes(device: Device) -> None:
    made = reports_over_two_months(device)
    for report in reversed(made):
        device.post_report(report)
    for report in made:
        decision = device.decision_on(report)
        replayed = device.client.post(
            f"/v1/decisions/{decision['id']}/replay", headers=device.headers
        )
        assert replayed.json()["identical"] is True
        assert replayed.json()["differences"] == []


def test_another_persons_decision_is_not_found(device: Device, client: TestClient) -> None:
    other = Device(client)
    other.enrol()
    decision = other.post_report(other.report()).json()["decision"]
    assert device.get(f"/v1/decisions/{decision['id']}").status_code == 404
    replay = device.client.post(f"/v1/decisions/{decision['id']}/replay", headers=device.headers)
    assert replay.status_code == 404


def test_the_offline_decision_of_a_device_is_compared(device: Device) -> None:
    rule_set = device.client.get("/v1/triage/rule-set").json()["hash"]
    shown = {"level": "see_professional", "rule_set_hash": rule_set}
    body = device.report({"radiating_pain": "left"}, device_decision=shown)
    assert device.post_report(body).json()["device_agrees"] is True
    wrong = device.report({"saddle_numbness": "yes"}, device_decision=shown)
    assert device.post_report(wrong).json()["device_agrees"] is False
    unknown = device.report(device_decision=shown | {"rule_set_hash": "0" * 64})
    assert device.post_report(unknown).json()["device_agrees"] is None
    assert device.post_report(device.report()).json()["device_agrees"] is None
