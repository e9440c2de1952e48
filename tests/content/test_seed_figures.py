"""Everything the article teaches: each line is a figure or a statement of it.

A place is a JSON Pointer into the response, in which an entry of a list is named by its id. A text
must contain the fragment; any other value must be equal.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

Json = dict[str, Any]
Line = tuple[str, str, str, Any]

CURLS = "/v1/exercises/toe-curls"
ROLLS = "/v1/exercises/arch-rolls"
RAISES = "/v1/exercises/heel-raises"
HEEL = "/v1/massages/heel-massage"
EDGE = "/v1/massages/inner-edge-massage"
SORE = "/v1/massages/sore-spot-massage"
DAILY = "/v1/routines/daily-15-minutes"
SEVERE = "/v1/warnings/severe-or-persistent-pain"
RADIATING = "/v1/warnings/radiating-pain"
NUMBNESS = "/v1/warnings/numbness-or-tingling"

TWO_TO_THREE_MINUTES = {"min": 120, "max": 180}

# Description, path, place, value.
FIGURES: list[Line] = [
    ("the set is for 15 minutes", DAILY, "/claimed_seconds", 15 * 60),
    ("the shortest set takes 15 minutes", DAILY, "/estimated_seconds/min", 15 * 60),
    ("the set is done daily", DAILY, "/per_day", 1),
    ("toe curls 2-3 minutes", CURLS, "/dosage/seconds_per_side", TWO_TO_THREE_MINUTES),
    ("toe curls on each foot", CURLS, "/side_handling", "each_foot"),
    ("toe curls have no sets", CURLS, "/dosage/sets", None),
    ("toe curls have no repetitions", CURLS, "/dosage/repetitions", None),
    ("arch rolls 2-3 minutes", ROLLS, "/dosage/seconds_per_side", TWO_TO_THREE_MINUTES),
    ("arch rolls on each foot", ROLLS, "/side_handling", "each_foot"),
    ("heel raises 2 sets", RAISES, "/dosage/sets", 2),
    ("heel raises 15-20 repetitions", RAISES, "/dosage/repetitions", {"min": 15, "max": 20}),
    ("heel raises have no time", RAISES, "/dosage/seconds_per_side", None),
    ("heel raises with both feet", RAISES, "/side_handling", "both_feet"),
    ("the heel 2-3 minutes", HEEL, "/dosage/seconds_per_side", TWO_TO_THREE_MINUTES),
    ("the heel of each foot", HEEL, "/side_handling", "each_foot"),
    ("the inner edge has no time", EDGE, "/dosage/seconds_per_side", None),
    ("the inner edge of each foot", EDGE, "/side_handling", "each_foot"),
    ("sore spots have no time", SORE, "/dosage/seconds_per_side", None),
    *(
        (f"the dosage of {path} is the article's", path, "/dosage/source", "seed")
        for path in (CURLS, ROLLS, RAISES, HEEL, EDGE, SORE)
    ),
    *(
        (f"{path} is daily", path, "/dosage/per_day", 1)
        for path in (CURLS, ROLLS, RAISES, HEEL, EDGE, SORE)
    ),
]

# Texts about figures, in both languages.
FIGURES_IN_WORDS: list[tuple[str, str, str, str, str]] = [
    ("15 minutes", DAILY, "/title", "15-minute", "15 minutos"),
    ("in 15 minutes", DAILY, "/claims/relief-in-15-minutes/text", "15 minutes", "15 minutos"),
    ("curls", CURLS, "/steps/3/text", "2–3 minutes on each foot", "2–3 minutos con cada pie"),
    ("curls", CURLS, "/dosage/text", "2–3 minutes on each foot", "2–3 minutos con cada pie"),
    ("rolls", ROLLS, "/steps/2/text", "2–3 minutes on each foot", "2–3 minutos con cada pie"),
    ("rolls", ROLLS, "/dosage/text", "2–3 minutes on each foot", "2–3 minutos con cada pie"),
    (
        "raises",
        RAISES,
        "/steps/3/text",
        "2 sets of 15–20 repetitions",
        "2 series de 15–20 repeticiones",
    ),
    (
        "raises",
        RAISES,
        "/dosage/text",
        "2 sets of 15–20 repetitions",
        "2 series de 15–20 repeticiones",
    ),
    ("hip width", RAISES, "/steps/0/text", "hip-width apart", "separados al ancho de las caderas"),
    ("heel", HEEL, "/steps/3/text", "2–3 minutes on each foot", "2–3 minutos en cada pie"),
    ("heel", HEEL, "/dosage/text", "2–3 minutes on each foot", "2–3 minutos en cada pie"),
    ("daily", "/v1/tips", "/items/be-consistent/steps/0/text", "daily", "a diario"),
]

STATEMENTS: list[Line] = [
    # The introduction.
    ("how common", DAILY, "/claims/common-causes-of-back-pain/text", "most common complaints"),
    ("cause: posture", DAILY, "/claims/common-causes-of-back-pain/text", "poor posture"),
    ("cause: strain", DAILY, "/claims/common-causes-of-back-pain/text", "muscle strain"),
    ("cause: sitting", DAILY, "/claims/common-causes-of-back-pain/text", "long sitting"),
    ("feet as foundation", DAILY, "/claims/feet-as-foundation/text", "foundation of the body"),
    ("feet and posture", DAILY, "/claims/feet-as-foundation/text", "posture and alignment"),
    ("weak feet", DAILY, "/claims/weak-feet-strain-the-spine/text", "weak or imbalanced feet"),
    ("stress on the spine", DAILY, "/claims/weak-feet-strain-the-spine/text", "on the spine"),
    ("cause or worsen", DAILY, "/claims/weak-feet-strain-the-spine/text", "or make it worse"),
    ("the whole set", DAILY, "/claims/whole-set-eases-back-pain/text", "strengthening and stretch"),
    ("mild to moderate", DAILY, "/claims/whole-set-eases-back-pain/text", "mild to moderate"),
    ("for whom", DAILY, "/intended_for", "mild to moderate back pain"),
    ("a step", DAILY, "/claims/whole-set-eases-back-pain/text", "step toward a pain-free back"),
    ("three and three", DAILY, "/summary", "three exercises and the three massages"),
    # The benefits.
    ("benefit 1", "/v1/benefits", "/items/improves-posture/title", "Improves posture"),
    ("benefit 1", "/v1/benefits", "/items/improves-posture/why/text", "strong and flexible feet"),
    ("benefit 1", "/v1/benefits", "/items/improves-posture/why/text", "whole body well aligned"),
    ("benefit 1", "/v1/benefits", "/items/improves-posture/why/text", "strain off the back"),
    ("benefit 2", "/v1/benefits", "/items/releases-tension/title", "Releases tension"),
    ("benefit 2", "/v1/benefits", "/items/releases-tension/why/text", "points on the feet"),
    ("benefit 2", "/v1/benefits", "/items/releases-tension/why/text", "certain areas of the back"),
    ("benefit 3", "/v1/benefits", "/items/enhances-circulation/title", "Enhances circulation"),
    ("benefit 3", "/v1/benefits", "/items/enhances-circulation/why/text", "increase blood flow"),
    ("benefit 3", "/v1/benefits", "/items/enhances-circulation/why/text", "helps healing"),
    ("benefit 3", "/v1/benefits", "/items/enhances-circulation/why/text", "lowers inflammation"),
    # Exercise 1.
    ("toe curls", CURLS, "/title", "Toe curls"),
    ("for strength", CURLS, "/why/text", "muscles of the feet stronger"),
    ("for support", CURLS, "/why/text", "support the whole body"),
    ("why: balance", CURLS, "/why/text", "improve balance"),
    ("why: strain", CURLS, "/why/text", "strain off the back"),
    ("sitting", CURLS, "/position", "seated"),
    ("step 1", CURLS, "/steps/0/text", "Sit on a chair"),
    ("step 1", CURLS, "/steps/0/text", "both feet flat on the floor"),
    ("step 2", CURLS, "/steps/1/text", "small towel on the floor"),
    ("step 3", CURLS, "/steps/2/text", "Grip the towel with the toes"),
    ("step 3", CURLS, "/steps/2/text", "pull it toward you"),
    ("a chair", CURLS, "/equipment/0/any_of", ["chair"]),
    ("a towel", CURLS, "/equipment/1/any_of", ["towel"]),
    ("the towel is needed", CURLS, "/equipment/1/required", True),
    ("foot muscles", CURLS, "/targets", ["foot_muscles"]),
    # Exercise 2.
    ("arch rolls", ROLLS, "/title", "Arch rolls"),
    ("plantar fascia", ROLLS, "/summary", "plantar fascia, the band of tissue along the sole"),
    ("plantar fascia", ROLLS, "/targets", ["plantar_fascia"]),
    ("tension", ROLLS, "/why/text", "tension under the foot can affect the back"),
    ("why: legs", ROLLS, "/why/text", "legs and the lower back less tight"),
    ("sitting", ROLLS, "/position", "seated"),
    ("step 1", ROLLS, "/steps/0/text", "Sit on a chair"),
    ("step 1", ROLLS, "/steps/0/text", "one foot on a tennis ball or on a foam roller"),
    ("step 2", ROLLS, "/steps/1/text", "back and forth, so that it rolls along the arch"),
    ("step 2", ROLLS, "/steps/1/text", "Press gently"),
    ("either will do", ROLLS, "/equipment/1/any_of", ["tennis_ball", "foam_roller"]),
    # Exercise 3.
    ("heel raises", RAISES, "/title", "Heel raises"),
    ("calves and feet", RAISES, "/why/text", "stronger calves and feet"),
    ("alignment", RAISES, "/why/text", "posture and alignment"),
    ("why: load", RAISES, "/why/text", "load off the back"),
    ("calves and feet", RAISES, "/targets", ["calf_muscles", "foot_muscles"]),
    ("standing", RAISES, "/position", "standing"),
    ("step 1", RAISES, "/steps/0/text", "Hold on to a chair or a wall for balance if you need to"),
    ("step 2", RAISES, "/steps/1/text", "Rise slowly onto your toes"),
    ("step 2", RAISES, "/steps/1/text", "heels as high as you can"),
    ("step 3", RAISES, "/steps/2/text", "Lower your heels back to the floor with control"),
    ("a chair or a wall", RAISES, "/equipment/0/any_of", ["chair", "wall"]),
    ("only if needed", RAISES, "/equipment/0/required", False),
    # The massages.
    (
        "the map",
        DAILY,
        "/claims/reflex-points-map-the-body/text",
        "correspond to parts of the body",
    ),
    ("the spine", DAILY, "/claims/reflex-points-map-the-body/text", "the spine among them"),
    ("signals", DAILY, "/claims/reflex-points-map-the-body/text", "sends signals"),
    ("upper back", DAILY, "/claims/reflex-massage-for-the-upper-back/text", "‘upper back’"),
    ("upper back", DAILY, "/claims/reflex-massage-for-the-upper-back/text", "tension and pain"),
    ("heel", HEEL, "/foot_zone", "heel"),
    ("lower spine", HEEL, "/spine_region", "lower_spine"),
    ("the points are in the heel", HEEL, "/steps/1/text", "points for the lower spine are here"),
    ("thumb", HEEL, "/steps/1/text", "thumb on your heel"),
    ("thumb", HEEL, "/tool_text", "Your thumb"),
    ("firm", HEEL, "/pressure", "firm"),
    ("firm circles", HEEL, "/steps/2/text", "Press firmly and make circles"),
    ("circles", HEEL, "/stroke", "circles"),
    ("why", HEEL, "/why/text", "sends signals that relax the lower part of the back"),
    ("why", HEEL, "/why/text", "pain relief and relaxation"),
    ("inner edge", EDGE, "/foot_zone", "inner_edge"),
    ("upper spine", EDGE, "/spine_region", "upper_spine"),
    ("the points are along it", EDGE, "/steps/1/text", "points for the upper spine run along it"),
    ("fingers or a tool", EDGE, "/steps/2/text", "your fingers or a massage tool"),
    ("fingers or a tool", EDGE, "/equipment/1/any_of", ["massage_tool"]),
    ("the tool is optional", EDGE, "/equipment/1/required", False),
    ("gently", EDGE, "/steps/2/text", "rub gently along the edge"),
    ("gentle", EDGE, "/pressure", "gentle"),
    ("direction", EDGE, "/steps/2/text", "from the heel toward the big toe"),
    ("direction", EDGE, "/stroke", "rub_heel_to_toe"),
    ("why", EDGE, "/why/text", "relax the upper part of the back"),
    ("sore spot", SORE, "/foot_zone", "sore_spot"),
    ("no spine region", SORE, "/spine_region", "none"),
    ("tender", SORE, "/steps/1/text", "a place feels tender"),
    ("extra time", SORE, "/steps/2/text", "some extra time"),
    ("extra time", SORE, "/dosage/text", "‘extra time’"),
    ("gently", SORE, "/steps/2/text", "Massage the tender place gently"),
    ("gentle", SORE, "/pressure", "gentle"),
    ("why", SORE, "/why/text", "releases tension"),
    # The tips.
    ("tip 1", "/v1/tips", "/items/be-consistent/title", "Be consistent"),
    ("tip 1", "/v1/tips", "/items/be-consistent/summary", "exercises and massages every day"),
    ("tip 1", "/v1/tips", "/items/be-consistent/why/text", "daily gives the best results"),
    ("tip 2", "/v1/tips", "/items/pair-with-back-stretches/title", "Pair with back stretches"),
    ("tip 2", "/v1/tips", "/items/pair-with-back-stretches/why/text", "gentle back stretches"),
    ("tip 2", "/v1/tips", "/items/pair-with-back-stretches/why/text", "the most pain relief"),
    ("tip 3", "/v1/tips", "/items/use-essential-oils/title", "Use essential oils"),
    ("tip 3", "/v1/tips", "/items/use-essential-oils/summary", "few drops"),
    ("tip 3", "/v1/tips", "/items/use-essential-oils/summary", "peppermint or lavender"),
    ("tip 3", "/v1/tips", "/items/use-essential-oils/why/text", "relaxation and pain relief"),
    *(
        ("the daily set comes with the tips", DAILY, f"/tip_ids/{index}", tip)
        for index, tip in enumerate(
            ["be-consistent", "pair-with-back-stretches", "use-essential-oils"]
        )
    ),
    # When to seek help.
    ("warning 1", SEVERE, "/title", "Severe or persistent back pain"),
    ("warning 1", SEVERE, "/text", "severe, or it does not go away"),
    ("warning 2", RADIATING, "/text", "from your back into a leg or a foot"),
    ("warning 3", NUMBNESS, "/title", "Numbness or tingling"),
    ("warning 3", NUMBNESS, "/text", "anywhere in your body"),
    *(
        (f"{path}: a professional", path, place, value)
        for path in (SEVERE, RADIATING, NUMBNESS)
        for place, value in (
            ("/level", "see_professional"),
            ("/what_to_do", "appointment with a health professional"),
            ("/origin", "seed"),
        )
    ),
]


def at(document: Any, pointer: str) -> Any:
    """Find a place; an entry of a list is named by its id or by its index."""
    for part in pointer.split("/")[1:]:
        if isinstance(document, list) and not part.isdigit():
            document = next(entry for entry in document if entry["id"] == part)
        else:
            document = document[int(part) if isinstance(document, list) else part]
    return document


def served(client: TestClient, path: str, lang: str) -> Json:
    response = client.get(path, params={"lang": lang})
    assert response.status_code == 200
    found: Json = response.json()
    return found


def names(lines: list[Line]) -> list[str]:
    return [f"{what} ({path} {place})" for what, path, place, _ in lines]


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize(("_what", "path", "place", "value"), FIGURES, ids=names(FIGURES))
def test_each_figure_of_the_article_is_in_the_responses(
    content_client: TestClient, _what: str, path: str, place: str, value: Any, lang: str
) -> None:
    assert at(served(content_client, path, lang), place) == value


@pytest.mark.parametrize(("_what", "path", "place", "english", "spanish"), FIGURES_IN_WORDS)
def test_each_figure_is_said_in_words_in_both_languages(
    content_client: TestClient, _what: str, path: str, place: str, english: str, spanish: str
) -> None:
    assert english in at(served(content_client, path, "en"), place)
    assert spanish in at(served(content_client, path, "es"), place)


@pytest.mark.parametrize(("_what", "path", "place", "value"), STATEMENTS, ids=names(STATEMENTS))
def test_each_statement_of_the_article_is_in_the_responses(
    content_client: TestClient, _what: str, path: str, place: str, value: Any
) -> None:
    found = at(served(content_client, path, "en"), place)
    if isinstance(found, str):
        assert value in found
        spanish = at(served(content_client, path, "es"), place)
        # Identifiers are the same in every language, sentences never are.
        assert (spanish == found) is bool(re.fullmatch(r"[a-z_-]+", found))
    else:
        assert found == value


def test_the_daily_set_is_the_articles_six_in_its_order(content_client: TestClient) -> None:
    items = served(content_client, DAILY, "en")["items"]
    assert [item["activity_id"] for item in items] == [
        "toe-curls",
        "arch-rolls",
        "heel-raises",
        "heel-massage",
        "inner-edge-massage",
        "sore-spot-massage",
    ]
    assert [item["required"] for item in items] == [True] * 5 + [False]


def test_the_fifteen_minutes_are_computed_and_hold_only_at_the_low_end(
    content_client: TestClient,
) -> None:
    routine = served(content_client, DAILY, "en")
    parts = [item["estimated_seconds"] for item in routine["items"]]
    # Two feet at 2 minutes, or at 3; two sets of 15 or 20 at 4 seconds with 30 seconds between.
    assert parts == [
        {"min": 240, "max": 360},
        {"min": 240, "max": 360},
        {"min": 2 * 15 * 4 + 30, "max": 2 * 20 * 4 + 30},
        {"min": 240, "max": 360},
        {"min": 30, "max": 120},
        {"min": 0, "max": 120},
    ]
    assert sum(part["min"] for part in parts) == 900
    assert routine["estimated_seconds"] == {
        "min": 900,
        # Five changes of at most 15 seconds.
        "max": sum(part["max"] for part in parts) + 5 * 15,
    }
    assert routine["claim_holds"] == "low_end_only"


def test_the_assumptions_for_the_fifteen_minutes_are_stated(content_client: TestClient) -> None:
    assumptions = served(content_client, DAILY, "en")["assumptions"]
    assert len(assumptions) == 4
    assert all("Our assumption, not in the article" in text for text in assumptions)
    for figure in ("4 seconds", "30 seconds of rest", "15 to 60 seconds", "0 to 15 seconds"):
        assert any(figure in text for text in assumptions)


@pytest.mark.parametrize(
    ("routine", "bounds"),
    [
        ("exercises-only", {"min": 630, "max": 940}),
        ("massage-only", {"min": 270, "max": 630}),
        ("seated-only", {"min": 750, "max": 1380}),
        ("gentle-start", {"min": 270, "max": 495}),
    ],
)
def test_the_variants_say_how_long_they_take_and_claim_nothing(
    content_client: TestClient, routine: str, bounds: Json
) -> None:
    found = served(content_client, f"/v1/routines/{routine}", "en")
    assert found["estimated_seconds"] == bounds
    assert found["claimed_seconds"] is None
    assert found["claim_holds"] == "no_claim"
    assert found["origin"] == "added"
    assert "our own selection" in found["summary"]


def bundled(client: TestClient, lang: str) -> Json:
    content: Json = served(client, "/v1/content", lang)["content"]
    return content


def claims(value: Any) -> Iterator[Json]:
    """Find every claim, at any depth."""
    if isinstance(value, dict):
        if "evidence" in value:
            yield value
        for inner in value.values():
            yield from claims(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from claims(inner)


GRADES = {"high", "moderate", "low", "very_low", "not_established", "traditional_use"}


@pytest.mark.parametrize("lang", ["en", "es"])
def test_every_claim_has_a_grade_a_statement_and_a_source(
    content_client: TestClient, lang: str
) -> None:
    content = bundled(content_client, lang)
    known = {source["id"] for source in content["sources"]}
    found = list(claims(content))
    # One each for six activities, three tips and three benefits, and those of the routines.
    assert len(found) >= 12 + 11
    for claim in found:
        evidence = claim["evidence"]
        assert evidence["grade"] in GRADES
        assert evidence["statement"]
        assert evidence["source_ids"]
        assert set(evidence["source_ids"]) <= known
        assert "footing-article" in evidence["source_ids"]


def test_what_the_article_says_is_attributed_to_it(
    content_client: TestClient,
) -> None:
    for claim in claims(bundled(content_client, "en")):
        assert claim["text"].startswith("The article ")
    for claim in claims(bundled(content_client, "es")):
        assert claim["text"].startswith("El artículo ")


def test_every_source_that_is_named_anywhere_is_listed(content_client: TestClient) -> None:
    content = bundled(content_client, "en")
    known = {source["id"] for source in content["sources"]}
    named = set(re.findall(r"'source_ids': \[([^\]]*)\]", str(content)))
    ids = {source for group in named for source in re.findall(r"'([^']+)'", group)}
    assert len(ids) > 40
    assert ids <= known
    assert all(source["title"] and source["publisher"] for source in content["sources"])


REFLEX_CLAIMS = {
    "heel-massage-why",
    "inner-edge-massage-why",
    "sore-spot-massage-why",
    "releases-tension-why",
    "reflex-points-map-the-body",
    "reflex-massage-for-the-upper-back",
}


def test_claims_about_reflex_points_are_labelled_as_traditional_use(
    content_client: TestClient,
) -> None:
    for lang, words in (("en", "traditional use"), ("es", "uso tradicional")):
        traditional = {
            claim["id"]: claim["evidence"]["statement"]
            for claim in claims(bundled(content_client, lang))
            if claim["evidence"]["grade"] == "traditional_use"
        }
        assert traditional.keys() == REFLEX_CLAIMS
        assert all(words in statement for statement in traditional.values())


@pytest.mark.parametrize("path", [HEEL, EDGE])
def test_the_spine_region_is_labelled_as_tradition(content_client: TestClient, path: str) -> None:
    english = served(content_client, path, "en")
    assert "by tradition" in english["spine_region_text"]
    assert "has not been shown" in english["spine_region_text"]
    spanish = served(content_client, path, "es")
    assert "según la tradición" in spanish["spine_region_text"]


def test_what_the_article_does_not_give_is_marked_as_missing(content_client: TestClient) -> None:
    for path in (EDGE, SORE):
        assert "gives no time" in served(content_client, path, "en")["dosage"]["text"]
    for path in (HEEL, EDGE, SORE):
        assert "our addition" in served(content_client, path, "en")["position_text"]


@pytest.mark.parametrize("lang", ["en", "es"])
def test_every_activity_has_cautions_and_says_when_to_stop(
    content_client: TestClient, lang: str
) -> None:
    content = bundled(content_client, lang)
    known = {source["id"] for source in content["sources"]}
    for activity in (*content["exercises"], *content["massages"]):
        assert len(activity["cautions"]) > 10
        assert len(activity["stop_criteria"]) >= 5
        for caution in activity["cautions"]:
            assert caution["text"]
            assert caution["condition_title"]
            assert set(caution["source_ids"]) <= known
            assert caution["source_ids"] or caution["needs_clinician"]


def test_cautions_use_the_terms_of_triage(content_client: TestClient) -> None:
    rule_set = content_client.get("/v1/triage/rule-set").json()
    questions = {question["id"] for question in rule_set["questions"]}
    content = bundled(content_client, "en")
    asked = {
        condition["id"]: condition["question_id"]
        for condition in content["conditions"]
        if condition["question_id"] is not None
    }
    assert len(asked) > 10
    assert set(asked.values()) <= questions
    listed = {condition["id"] for condition in content["conditions"]}
    for activity in (*content["exercises"], *content["massages"], *content["tips"]):
        assert {caution["condition"] for caution in activity["cautions"]} <= listed
    for warning in content["warnings"]:
        assert set(warning["question_ids"]) <= questions


def test_nothing_is_marked_as_reviewed_without_a_clinician(content_client: TestClient) -> None:
    for lang, status in (("en", "engineering_draft"), ("es", "needs_clinician")):
        content = bundled(content_client, lang)
        for name in ("exercises", "massages", "warnings", "routines", "tips", "benefits"):
            for entry in content[name]:
                assert entry["review"]["status"] in {"engineering_draft", "needs_clinician"}
                assert entry["review"]["reviewer"] is None
                assert entry["translation_review"]["status"] == status
                assert entry["licence"] == "Apache-2.0"
                assert entry["reviewed_at"] == entry["review"]["reviewed_at"]


def sentences(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from sentences(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from sentences(inner)
    elif isinstance(value, str):
        yield value


def test_no_text_says_that_the_user_is_safe(content_client: TestClient) -> None:
    forbidden = re.compile(
        r"\b(safe|safely|nothing serious|seguro|segura|nada grave)\b", re.IGNORECASE
    )
    for lang in ("en", "es"):
        content = bundled(content_client, lang)
        # Titles of cited works are not our texts.
        del content["sources"]
        assert not [text for text in sentences(content) if forbidden.search(text)]
