"""A pause or a stop holds until a professional has cleared it; something new holds again."""

import datetime
import uuid
from typing import Any

from tests.support.device import Device

Json = dict[str, Any]
WISHES: Json = {
    "minutes": 30,
    "equipment": ["chair", "towel", "tennis_ball", "wall"],
    "positions": ["seated", "standing"],
}
BENIGN: Json = {"pain_score": 3, "weeks": 1, "trend": "better", "age_years": 40}


def plan(device: Device, **changes: Any) -> Json:
    response = device.client.post("/v1/plans", json=WISHES | changes, headers=device.headers)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def reasons(plan: Json) -> set[str]:
    return {entry["reason"] for entry in plan["left_out"]}


def clear(device: Device, at: datetime.datetime) -> None:
    body = {"id": str(uuid.uuid4()), "cleared_at": at.isoformat()}
    response = device.client.post("/v1/me/clearances", json=body, headers=device.headers)
    assert response.status_code == 201, response.text
    again = device.client.post("/v1/me/clearances", json=body, headers=device.headers)
    assert (again.status_code, again.json()) == (200, response.json())


def test_without_a_report_the_plan_is_whole(device: Device) -> None:
    assert len(plan(device)["items"]) == 6


def test_radiating_pain_pauses_every_activity_until_it_is_cleared(device: Device) -> None:
    device.post_report(device.report({"radiating_pain": "left"}))
    held = plan(device)
    assert held["items"] == []
    assert reasons(held) == {"hold"}
    clear(device, device.now + datetime.timedelta(hours=1))
    assert len(plan(device)["items"]) == 6


def test_without_a_token_nothing_of_it_is_disclosed(device: Device) -> None:
    device.post_report(device.report({"saddle_numbness": "yes"}))
    assert len(device.client.post("/v1/plans", json=WISHES).json()["items"]) == 6


def test_a_milder_report_never_lifts_a_stop(device: Device) -> None:
    device.post_report(device.report({"saddle_numbness": "yes"}))
    device.now += datetime.timedelta(hours=1)
    device.post_report(device.report(**BENIGN))
    assert plan(device)["items"] == []


def test_a_clearance_that_arrives_before_the_report_it_came_after_still_counts(
    device: Device,
) -> None:
    clear(device, device.now + datetime.timedelta(hours=1))
    device.post_report(device.report({"radiating_pain": "left"}))
    assert len(plan(device)["items"]) == 6


def test_the_same_again_stays_cleared_and_something_new_does_not(device: Device) -> None:
    device.post_report(device.report({"radiating_pain": "left"}))
    clear(device, device.now + datetime.timedelta(minutes=30))
    device.now += datetime.timedelta(hours=1)
    device.post_report(device.report({"radiating_pain": "left"}))
    assert len(plan(device)["items"]) == 6
    device.post_report(device.report({"radiating_pain": "left", "other_numbness": "yes"}))
    assert plan(device)["items"] == []


def test_an_emergency_after_a_clearance_is_a_new_one(device: Device) -> None:
    emergency = {"saddle_numbness": "yes"}
    device.now -= datetime.timedelta(days=30)
    device.post_report(device.report(emergency))
    clear(device, device.now + datetime.timedelta(days=10))
    assert len(plan(device)["items"]) == 6
    device.now += datetime.timedelta(days=30)
    device.post_report(device.report(emergency))
    assert device.get("/v1/me/progress").json()["activities"]["status"] == "stop"
    assert plan(device)["items"] == []


def test_persistent_pain_leaves_the_seated_activities(device: Device) -> None:
    device.post_report(device.report(pain_score=3, weeks=8, trend="same"))
    answer = plan(device)
    assert "heel-raises" not in {item["activity_id"] for item in answer["items"]}
    assert len(answer["items"]) == 5
    assert reasons(answer) == {"hold"}


def test_a_numb_foot_is_not_rolled_or_massaged_even_when_cleared(device: Device) -> None:
    device.post_report(device.report({"leg_numbness": "right"}))
    clear(device, device.now + datetime.timedelta(hours=1))
    left_out = {entry["activity_id"] for entry in plan(device)["left_out"]}
    assert {"arch-rolls", "heel-massage", "inner-edge-massage", "sore-spot-massage"} <= left_out


def test_the_conditions_of_the_profile_count(device: Device) -> None:
    device.enrol(conditions=["gout"])
    assert "contraindicated" in reasons(plan(device))


def test_a_clearance_for_the_future_is_refused(device: Device) -> None:
    body = {"id": str(uuid.uuid4()), "cleared_at": "2026-11-23T12:00:00Z"}
    response = device.client.post("/v1/me/clearances", json=body, headers=device.headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "in_the_future"


def test_an_invalid_token_is_not_treated_as_no_token(device: Device) -> None:
    response = device.client.post(
        "/v1/plans", json=WISHES, headers={"Authorization": "Bearer fp_wrong"}
    )
    assert response.status_code == 401


def test_pain_that_rises_in_a_session_is_answered_with_advice(device: Device) -> None:
    stored = device.post_session(device.session(pain_before=3, pain_after=5)).json()
    assert [advice["rule_id"] for advice in stored["advice"]] == ["S01"]
    severe = device.post_session(device.session(pain_before=None, pain_after=7)).json()
    assert [advice["rule_id"] for advice in severe["advice"]] == ["S02"]
    mild = device.post_session(device.session(pain_before=3, pain_after=4)).json()
    assert mild["advice"] == []
