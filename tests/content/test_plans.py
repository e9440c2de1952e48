"""Composed routines never contain an activity that a condition rules out, and list the reason.

The expectations are derived from the seed files, not from the code under test.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.content import schemas
from api.content.catalogue import Catalogue
from api.content.plans import Wishes, compose
from api.content.rendering import Renderer
from api.content.vocabulary import ActivityStatus, CareLevel, Equipment, Position
from api.core.config import SEED_FOLDER

Json = dict[str, Any]


def read(file: str) -> list[Json]:
    entries: list[Json] = json.loads((SEED_FOLDER / file).read_text("utf-8"))
    return entries


DAILY = next(routine for routine in read("routines.json") if routine["id"] == "daily-15-minutes")
ORDER = [item["activity_id"] for item in DAILY["items"]]
ACTIVITIES = {entry["id"]: entry for entry in (*read("exercises.json"), *read("massages.json"))}
CAUTIONS = read("cautions.json")
CARE = {condition["id"]: condition["care_level"] for condition in read("conditions.json")}
CARE_ORDER = [level.value for level in CareLevel]
EVERYTHING: frozenset[Equipment] = frozenset(Equipment)
ANYHOW: frozenset[Position] = frozenset(Position)
RELEASE = "0" * 64

conditions = st.one_of(
    st.sets(st.sampled_from(sorted(CARE)), max_size=2), st.sets(st.sampled_from(sorted(CARE)))
)
equipment = st.one_of(st.just(EVERYTHING), st.frozensets(st.sampled_from(Equipment)))
positions = st.frozensets(st.sampled_from(Position), min_size=1)
minutes = st.one_of(st.integers(1, 30), st.integers(1, 240))
holds: st.SearchStrategy[ActivityStatus] = st.sampled_from(
    ["continue", "continue", "caution", "pause", "stop"]
)
wishes = st.builds(
    Wishes,
    minutes=minutes,
    equipment=equipment,
    positions=positions,
    conditions=conditions.map(lambda chosen: tuple(sorted(chosen))),
    hold=holds,
)


def plan_for(catalogue: Catalogue, wishes: Wishes, language: str = "en") -> schemas.Plan:
    return compose(Renderer(catalogue, language), wishes, RELEASE)


def cautions_of(activity: str, wishes: Wishes, *actions: str) -> list[Json]:
    return [
        caution
        for caution in CAUTIONS
        if activity in caution["applies_to"]
        and caution["condition"] in wishes.conditions
        and caution["action"] in actions
    ]


def least_seconds(activity: str) -> int:
    """Compute the shortest time from the seed files only."""
    entry = ACTIVITIES[activity]
    dosage, pace = entry["dosage"], entry["pace"]
    if dosage["sets"]:
        moving = dosage["sets"] * dosage["repetitions"]["min"] * pace["seconds_per_repetition"]
        return int(moving + (dosage["sets"] - 1) * pace["rest_seconds"])
    feet = 2 if entry["side_handling"] == "each_foot" else 1
    return int(feet * (dosage["seconds_per_side"] or pace["seconds_per_side"])["min"])


def lacks(activity: str, wishes: Wishes) -> bool:
    needs = ACTIVITIES[activity]["equipment"]
    return any(need["required"] and not wishes.equipment & set(need["any_of"]) for need in needs)


def is_held_back(activity: str, wishes: Wishes) -> bool:
    if wishes.hold == "caution":
        return bool(ACTIVITIES[activity]["position"] != "seated")
    return wishes.hold in {"pause", "stop"}


@settings(max_examples=300)
@given(wishes=wishes)
@example(wishes=Wishes(240, EVERYTHING, ANYHOW, tuple(sorted(CARE))))
@example(wishes=Wishes(240, EVERYTHING, ANYHOW, ()))
def test_nothing_is_planned_that_a_condition_rules_out(
    catalogue: Catalogue, wishes: Wishes
) -> None:
    for item in plan_for(catalogue, wishes).items:
        assert cautions_of(item.activity_id, wishes, "stop", "ask") == []
        assert ACTIVITIES[item.activity_id]["position"] in wishes.positions
        assert not lacks(item.activity_id, wishes)
        assert not is_held_back(item.activity_id, wishes)


@settings(max_examples=150)
@given(wishes=wishes)
def test_every_activity_is_planned_or_left_out_once(catalogue: Catalogue, wishes: Wishes) -> None:
    plan = plan_for(catalogue, wishes)
    planned = [item.activity_id for item in plan.items]
    left_out = [entry.activity_id for entry in plan.left_out]
    assert sorted(planned + left_out) == sorted(ORDER)
    assert planned == [activity for activity in ORDER if activity in planned]
    assert plan.fits is bool(planned)


@settings(max_examples=150)
@given(wishes=wishes)
def test_what_is_left_out_is_left_out_for_the_reason_given(
    catalogue: Catalogue, wishes: Wishes
) -> None:
    plan = plan_for(catalogue, wishes)
    planned = sum(least_seconds(item.activity_id) for item in plan.items)
    for entry in plan.left_out:
        activity = entry.activity_id
        stops = cautions_of(activity, wishes, "stop")
        asks = cautions_of(activity, wishes, "ask")
        reason = {
            "hold": is_held_back(activity, wishes),
            "contraindicated": bool(stops),
            "ask_first": bool(asks) and not stops,
            "position": ACTIVITIES[activity]["position"] not in wishes.positions,
            "equipment": lacks(activity, wishes),
            "time": planned + least_seconds(activity) > wishes.minutes * 60,
        }
        assert reason[entry.reason]
        assert entry.text
        assert "{" not in entry.text
        assert entry.title == ACTIVITIES[activity]["title"]["en"]
        given = stops if entry.reason == "contraindicated" else asks
        expected = given if entry.reason in {"contraindicated", "ask_first"} else []
        assert entry.caution_ids == [caution["id"] for caution in expected]
        # Time is the last reason for leaving an activity out.
        assert entry.reason != "time" or sum(reason.values()) == 1


@settings(max_examples=150)
@given(wishes=wishes)
def test_a_plan_keeps_within_the_time_and_within_the_dosage(
    catalogue: Catalogue, wishes: Wishes
) -> None:
    plan = plan_for(catalogue, wishes)
    assert plan.requested_seconds == wishes.minutes * 60
    assert plan.planned_seconds <= plan.requested_seconds
    assert plan.estimated_seconds.min <= plan.planned_seconds <= plan.estimated_seconds.max
    for item in plan.items:
        entry = ACTIVITIES[item.activity_id]
        dosage, pace = entry["dosage"], entry["pace"]
        assert item.planned_sets == dosage["sets"]
        if dosage["sets"]:
            assert item.planned_seconds_per_side is None
            assert item.planned_repetitions is not None
            bounds = dosage["repetitions"]
            assert bounds["min"] <= item.planned_repetitions <= bounds["max"]
            moving = dosage["sets"] * item.planned_repetitions * pace["seconds_per_repetition"]
            rests = (dosage["sets"] - 1) * pace["rest_seconds"]
            assert item.planned_seconds == moving + rests
        else:
            assert item.planned_repetitions is None
            assert item.planned_seconds_per_side is not None
            bounds = dosage["seconds_per_side"] or pace["seconds_per_side"]
            assert bounds["min"] <= item.planned_seconds_per_side <= bounds["max"]
            assert item.planned_seconds == 2 * item.planned_seconds_per_side
    change_over = plan.planned_seconds - sum(item.planned_seconds for item in plan.items)
    assert 0 <= change_over <= 15 * max(0, len(plan.items) - 1)


@settings(max_examples=100)
@given(wishes=wishes)
def test_a_plan_has_the_care_level_of_the_conditions(catalogue: Catalogue, wishes: Wishes) -> None:
    plan = plan_for(catalogue, wishes)
    levels = [CARE[condition] for condition in wishes.conditions if CARE[condition]]
    gravest = max(levels, key=CARE_ORDER.index, default=None)
    assert plan.care_level == gravest
    assert plan.see_professional is (gravest in {"see_professional", "urgent", "emergency"})
    assert bool(levels) is any("reason to get help" in message for message in plan.messages)
    # An empty plan always has an explanation.
    assert plan.fits or plan.messages


@settings(max_examples=100)
@given(wishes=wishes)
def test_a_planned_activity_has_its_cautions(catalogue: Catalogue, wishes: Wishes) -> None:
    for item in plan_for(catalogue, wishes).items:
        expected = cautions_of(item.activity_id, wishes, "modify")
        assert [caution.id for caution in item.cautions] == [entry["id"] for entry in expected]


@settings(max_examples=100)
@given(wishes=wishes, more=st.sampled_from(sorted(CARE)))
def test_one_more_condition_never_adds_an_activity(
    catalogue: Catalogue, wishes: Wishes, more: str
) -> None:
    def planned(own: tuple[str, ...]) -> set[str]:
        # With time for everything: in a short time one activity can replace another.
        ample = Wishes(240, wishes.equipment, wishes.positions, own, wishes.hold)
        return {item.activity_id for item in plan_for(catalogue, ample).items}

    assert planned((*wishes.conditions, more)) <= planned(wishes.conditions)


@settings(max_examples=60)
@given(wishes=wishes)
def test_the_languages_plan_the_same(catalogue: Catalogue, wishes: Wishes) -> None:
    english, spanish = plan_for(catalogue, wishes), plan_for(catalogue, wishes, "es")
    assert [item.activity_id for item in english.items] == [i.activity_id for i in spanish.items]
    assert english.planned_seconds == spanish.planned_seconds
    assert [entry.reason for entry in english.left_out] == [e.reason for e in spanish.left_out]
    assert len(english.messages) == len(spanish.messages)


def test_every_condition_is_honoured_by_itself(catalogue: Catalogue) -> None:
    ruled_out = set()
    for condition in CARE:
        plan = plan_for(catalogue, Wishes(240, EVERYTHING, ANYHOW, (condition,)))
        out = {entry.activity_id for entry in plan.left_out}
        expected = {
            activity
            for caution in CAUTIONS
            if caution["condition"] == condition and caution["action"] in {"stop", "ask"}
            for activity in caution["applies_to"]
        }
        assert out == expected & set(ORDER)
        ruled_out |= {condition} if out else set()
    assert len(ruled_out) > 20


def test_with_enough_time_each_dosage_is_planned_at_its_maximum(catalogue: Catalogue) -> None:
    plan = plan_for(catalogue, Wishes(240, EVERYTHING, ANYHOW, ()))
    assert plan.planned_seconds == plan.estimated_seconds.max == 1585
    assert plan.messages == []
    assert [item.planned_seconds_per_side for item in plan.items] == [180, 180, None, 180, 60, 60]
    assert plan.items[2].planned_repetitions == 20


@pytest.mark.parametrize("hold", ["pause", "stop"])
def test_with_a_hold_the_plan_is_empty(catalogue: Catalogue, hold: ActivityStatus) -> None:
    plan = plan_for(catalogue, Wishes(240, EVERYTHING, ANYHOW, (), hold))
    assert not plan.fits
    assert {entry.reason for entry in plan.left_out} == {"hold"}
    assert "Please talk to a health professional" in plan.messages[0]


# Over HTTP.


def asked(**changes: Any) -> Json:
    return {
        "minutes": 15,
        "equipment": ["chair", "towel", "tennis_ball"],
        "positions": ["seated", "standing"],
        "conditions": [],
    } | changes


def posted(client: TestClient, body: Any, **headers: str) -> Json:
    response = client.post("/v1/plans", json=body, headers=headers)
    assert response.status_code == 200, response.text
    plan: Json = response.json()
    return plan


def test_fifteen_minutes_fit_the_whole_set_at_its_shortest(content_client: TestClient) -> None:
    plan = posted(content_client, asked())
    assert [item["activity_id"] for item in plan["items"]] == ORDER
    assert plan["left_out"] == []
    assert plan["fits"] is True
    assert plan["requested_seconds"] == plan["planned_seconds"] == 900
    assert plan["estimated_seconds"] == {"min": 900, "max": 1585}
    assert "near the low end" in plan["messages"][0]
    assert plan["see_professional"] is False
    assert plan["care_level"] is None
    assert plan["release"] == content_client.get("/v1/content").json()["version"]
    assert "0 to 15 seconds" in plan["assumptions"][-1]


def test_a_condition_that_rules_everything_out_gives_an_empty_plan_and_a_care_level(
    content_client: TestClient,
) -> None:
    plan = posted(content_client, asked(conditions=["blood_clot"]))
    assert plan["fits"] is False
    assert plan["items"] == []
    assert plan["planned_seconds"] == 0
    assert {entry["reason"] for entry in plan["left_out"]} == {"contraindicated"}
    assert {tuple(entry["caution_ids"]) for entry in plan["left_out"]} == {("C01b",)}
    assert {entry["care_level"] for entry in plan["left_out"]} == {"urgent"}
    assert plan["see_professional"] is True
    assert plan["care_level"] == "urgent"
    assert len(plan["messages"]) == 2


def test_what_needs_a_professional_first_is_left_out_and_says_so(
    content_client: TestClient,
) -> None:
    plan = posted(content_client, asked(conditions=["osteoporosis"]))
    (entry,) = plan["left_out"]
    assert entry["activity_id"] == "heel-raises"
    assert entry["reason"] == "ask_first"
    assert entry["text"].startswith("Ask a health professional before doing this")
    assert entry["care_level"] == "see_professional"


def test_without_a_towel_and_sitting_down_the_rest_is_planned(content_client: TestClient) -> None:
    plan = posted(content_client, asked(equipment=["chair", "foam_roller"], positions=["seated"]))
    assert [item["activity_id"] for item in plan["items"]] == [
        activity for activity in ORDER if activity not in {"toe-curls", "heel-raises"}
    ]
    assert {entry["activity_id"]: entry["reason"] for entry in plan["left_out"]} == {
        "toe-curls": "equipment",
        "heel-raises": "position",
    }
    assert "A small towel." in plan["left_out"][0]["text"]


def test_a_plan_that_does_not_fit_says_how_much_time_it_needs(content_client: TestClient) -> None:
    body = asked(minutes=2, equipment=[], positions=["standing"])
    plan = posted(content_client, body)
    assert plan["fits"] is False
    assert plan["items"] == []
    assert plan["messages"] == [
        "Nothing fits into 2 minutes; the shortest activity needs 150 seconds."
    ]
    assert posted(content_client, body | {"minutes": 3})["fits"] is True


def test_a_short_plan_has_what_fits_and_lists_what_does_not(content_client: TestClient) -> None:
    plan = posted(content_client, asked(minutes=5))
    assert plan["fits"] is True
    assert plan["planned_seconds"] <= 300
    late = [entry for entry in plan["left_out"] if entry["reason"] == "time"]
    assert late
    assert {entry["text"] for entry in late} == {"There is no room for it in the time you have."}


def test_a_plan_is_in_the_language_of_the_device(content_client: TestClient) -> None:
    headers = {"Accept-Language": "es-MX"}
    response = content_client.post("/v1/plans", json=asked(conditions=["gout"]), headers=headers)
    assert response.headers["Content-Language"] == "es"
    plan = response.json()
    assert plan["language"] == "es"
    assert plan["left_out"][0]["text"].startswith("No está incluido por lo que nos contaste")
    assert posted(content_client, asked(), **headers)["items"][1]["title"].startswith("Rodar")


def test_a_plan_is_never_cached(content_client: TestClient) -> None:
    response = content_client.post("/v1/plans", json=asked())
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


def test_an_unknown_condition_is_named_by_its_place(content_client: TestClient) -> None:
    body = asked(conditions=["diabetes", "green_toes", "diabetes", "blue_toes"])
    response = content_client.post("/v1/plans", json=body)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [(e["pointer"], e["code"], e["message"]) for e in response.json()["errors"]] == [
        ("/conditions/1", "unknown_condition", '"green_toes" is not a known condition.'),
        ("/conditions/3", "unknown_condition", '"blue_toes" is not a known condition.'),
    ]


def test_the_conditions_that_a_plan_knows_are_those_of_the_bundle(
    content_client: TestClient,
) -> None:
    listed = content_client.get("/v1/content").json()["content"]["conditions"]
    known = [condition["id"] for condition in listed]
    assert len(known) > 40
    assert posted(content_client, asked(conditions=known))["fits"] is False


BAD_PLANS: list[tuple[Json, str, str]] = [
    ({"minutes": 0}, "/minutes", "greater_than_equal"),
    ({"minutes": 241}, "/minutes", "less_than_equal"),
    ({"minutes": True}, "/minutes", "value_error"),
    ({"minutes": "15"}, "/minutes", "value_error"),
    ({"minutes": 7.5}, "/minutes", "int_from_float"),
    ({"minutes": None}, "/minutes", "value_error"),
    ({"equipment": ["trampoline"]}, "/equipment/0", "enum"),
    ({"equipment": "chair"}, "/equipment", "list_type"),
    ({"equipment": ["chair"] * 21}, "/equipment", "too_long"),
    ({"positions": []}, "/positions", "too_short"),
    ({"positions": ["seated", "flying"]}, "/positions/1", "enum"),
    ({"conditions": ["Diabetes"]}, "/conditions/0", "string_pattern_mismatch"),
    ({"conditions": ["diabetes"] * 51}, "/conditions", "too_long"),
    ({"mood": "fine"}, "/mood", "unknown_field"),
]


@pytest.mark.parametrize(("change", "pointer", "code"), BAD_PLANS)
def test_an_invalid_field_is_named(
    content_client: TestClient, change: Json, pointer: str, code: str
) -> None:
    response = content_client.post("/v1/plans", json=asked(**change))
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [(pointer, code)]


@pytest.mark.parametrize("name", ["minutes", "equipment", "positions"])
def test_a_missing_field_is_named(content_client: TestClient, name: str) -> None:
    body = asked()
    del body[name]
    response = content_client.post("/v1/plans", json=body)
    assert response.status_code == 422
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [
        (f"/{name}", "missing_field")
    ]


def test_conditions_may_be_omitted(content_client: TestClient) -> None:
    body = asked()
    del body["conditions"]
    assert posted(content_client, body) == posted(content_client, asked())
