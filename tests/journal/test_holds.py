"""A pause or a stop holds until a professional has cleared it; something new holds again."""

import datetime
import uuid
from typing import Any

from tests.support.phone import Phone

Json = dict[str, Any]
WISHES: Json = {
    "minutes": 30,
    "equipment": ["chair", "towel", "tennis_ball", "wall"],
    "positions": ["seated", "standing"],
}
BENIGN: Json = {"pain_score": 3, "weeks": 1, "trend": "better", "age_years": 40}


def plan(phone: Phone, **changes: Any) -> Json:
    response = phone.client.post("/v1/plans", json=WISHES | changes, headers=phone.headers)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def reasons(plan: Json) -> set[str]:
    return {entry["reason"] for entry in plan["left_out"]}


def clear(phone: Phone, at: datetime.datetime) -> None:
    body = {"id": str(uuid.uuid4()), "cleared_at": at.isoformat()}
    response = phone.client.post("/v1/me/clearances", json=body, headers=phone.headers)
    assert response.status_code == 201, response.text
    again = phone.client.post("/v1/me/clearances", json=body, headers=phone.headers)
    assert (again.status_code, again.json()) == (200, response.json())


def test_without_a_report_the_plan_is_whole(phone: Phone) -> None:
    assert len(plan(phone)["items"]) == 6


def test_radiating_pain_pauses_every_activity_until_it_is_cleared(phone: Phone) -> None:
    phone.post_report(phone.report({"radiating_pain": "left"}))
    held = plan(phone)
    assert held["items"] == []
    assert reasons(held) == {"hold"}
    clear(phone, phone.now + datetime.timedelta(hours=1))
    assert len(plan(phone)["items"]) == 6


def test_without_a_token_nothing_of_it_is_disclosed(phone: Phone) -> None:
    phone.post_report(phone.report({"saddle_numbness": "yes"}))
    assert len(phone.client.post("/v1/plans", json=WISHES).json()["items"]) == 6


def test_a_milder_report_never_lifts_a_stop(phone: Phone) -> None:
    phone.post_report(phone.report({"saddle_numbness": "yes"}))
    phone.now += datetime.timedelta(hours=1)
    phone.post_report(phone.report(**BENIGN))
    assert plan(phone)["items"] == []


def test_a_clearance_that_arrives_before_the_report_it_came_after_still_counts(
    phone: Phone,
) -> None:
    clear(phone, phone.now + datetime.timedelta(hours=1))
    phone.post_report(phone.report({"radiating_pain": "left"}))
    assert len(plan(phone)["items"]) == 6


def test_the_same_again_stays_cleared_and_something_new_does_not(phone: Phone) -> None:
    phone.post_report(phone.report({"radiating_pain": "left"}))
    clear(phone, phone.now + datetime.timedelta(minutes=30))
    phone.now += datetime.timedelta(hours=1)
    phone.post_report(phone.report({"radiating_pain": "left"}))
    assert len(plan(phone)["items"]) == 6
    phone.post_report(phone.report({"radiating_pain": "left", "other_numbness": "yes"}))
    assert plan(phone)["items"] == []


def test_an_emergency_after_a_clearance_is_a_new_one(phone: Phone) -> None:
    emergency = {"saddle_numbness": "yes"}
    phone.now -= datetime.timedelta(days=30)
    phone.post_report(phone.report(emergency))
    clear(phone, phone.now + datetime.timedelta(days=10))
    assert len(plan(phone)["items"]) == 6
    phone.now += datetime.timedelta(days=30)
    phone.post_report(phone.report(emergency))
    assert phone.get("/v1/me/progress").json()["activities"]["status"] == "stop"
    assert plan(phone)["items"] == []


def test_persistent_pain_leaves_the_seated_activities(phone: Phone) -> None:
    phone.post_report(phone.report(pain_score=3, weeks=8, trend="same"))
    answer = plan(phone)
    assert "heel-raises" not in {item["activity_id"] for item in answer["items"]}
    assert len(answer["items"]) == 5
    assert reasons(answer) == {"hold"}


def test_a_numb_foot_is_not_rolled_or_massaged_even_when_cleared(phone: Phone) -> None:
    phone.post_report(phone.report({"leg_numbness": "right"}))
    clear(phone, phone.now + datetime.timedelta(hours=1))
    left_out = {entry["activity_id"] for entry in plan(phone)["left_out"]}
    assert {"arch-rolls", "heel-massage", "inner-edge-massage", "sore-spot-massage"} <= left_out


def test_the_conditions_of_the_profile_count(phone: Phone) -> None:
    phone.enrol(conditions=["gout"])
    assert "contraindicated" in reasons(plan(phone))


def test_a_clearance_for_the_future_is_refused(phone: Phone) -> None:
    body = {"id": str(uuid.uuid4()), "cleared_at": "2026-11-23T12:00:00Z"}
    response = phone.client.post("/v1/me/clearances", json=body, headers=phone.headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "in_the_future"


def test_an_invalid_token_is_not_treated_as_no_token(phone: Phone) -> None:
    response = phone.client.post(
        "/v1/plans", json=WISHES, headers={"Authorization": "Bearer fp_wrong"}
    )
    assert response.status_code == 401


def test_pain_that_rises_in_a_session_is_answered_with_advice(phone: Phone) -> None:
    stored = phone.post_session(phone.session(pain_before=3, pain_after=5)).json()
    assert [advice["rule_id"] for advice in stored["advice"]] == ["S01"]
    severe = phone.post_session(phone.session(pain_before=None, pain_after=7)).json()
    assert [advice["rule_id"] for advice in severe["advice"]] == ["S02"]
    mild = phone.post_session(phone.session(pain_before=3, pain_after=4)).json()
    assert mild["advice"] == []
