"""Rendering the catalogue in one language."""

from dataclasses import replace
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from api.content.catalogue import Catalogue
from api.content.rendering import Renderer, claim_holds
from api.content.seed import Routine


@pytest.mark.parametrize(
    ("least", "most", "claimed", "holds"),
    [
        (900, 1585, 900, "low_end_only"),
        (901, 1585, 900, "never"),
        (899, 900, 900, "always"),
        (900, 901, 900, "low_end_only"),
        (0, 0, None, "no_claim"),
    ],
)
def test_a_claimed_time_holds_always_or_only_at_the_low_end_or_never(
    least: int, most: int, claimed: int | None, holds: str
) -> None:
    assert claim_holds(least, most, claimed) == holds


def with_routine(catalogue: Catalogue, **changes: Any) -> Routine:
    return catalogue.routines[0].model_copy(update=changes)


def test_optional_items_count_only_at_the_high_end(catalogue: Catalogue) -> None:
    renderer = Renderer(catalogue, "en")
    items = catalogue.routines[0].items
    optional = [item.model_copy(update={"required": False}) for item in items]
    whole = renderer.routine(with_routine(catalogue))
    rendered = renderer.routine(with_routine(catalogue, items=optional))
    assert rendered.estimated_seconds.min == 0
    assert rendered.estimated_seconds.max == whole.estimated_seconds.max


def test_a_routine_that_always_keeps_its_time_says_so(catalogue: Catalogue) -> None:
    renderer = Renderer(catalogue, "en")
    assert renderer.routine(with_routine(catalogue, claimed_minutes=27)).claim_holds == "always"
    assert renderer.routine(with_routine(catalogue, claimed_minutes=14)).claim_holds == "never"


def test_an_exercise_is_no_massage(catalogue: Catalogue) -> None:
    with pytest.raises(ValueError, match="toe-curls is not a massage"):
        Renderer(catalogue, "en").massage(catalogue.exercises[0])


def test_a_label_with_markup_remains_text(catalogue: Catalogue) -> None:
    words = 'Heel & <script>alert("1")</script>'
    media = catalogue.media[0].model_copy(update={"title": {"en": words, "es": words}})
    spoiled = replace(catalogue, media=(media, *catalogue.media[1:]))
    drawing = Renderer(spoiled, "en").drawings[media.id]
    assert b"<script" not in drawing
    title = fromstring(drawing)[0]
    assert title.text == words


def test_a_drawing_gets_another_name_when_its_texts_change(catalogue: Catalogue) -> None:
    media = catalogue.media[0].model_copy(update={"title": {"en": "Curl", "es": "Flexión"}})
    changed = replace(catalogue, media=(media, *catalogue.media[1:]))
    before, after = Renderer(catalogue, "en"), Renderer(changed, "en")
    assert before.drawing_name(media.id) != after.drawing_name(media.id)
    other = catalogue.media[1].id
    assert before.drawing_name(other) == after.drawing_name(other)


def test_a_caution_has_the_care_level_of_its_condition(catalogue: Catalogue) -> None:
    rendered = {
        caution.condition: caution
        for exercise in catalogue.exercises
        for caution in Renderer(catalogue, "en").exercise(exercise).cautions
    }
    assert rendered["blood_clot"].action == "stop"
    assert rendered["blood_clot"].care_level == "urgent"
    assert rendered["osteoporosis"].action == "ask"
    assert rendered["osteoporosis"].care_level == "see_professional"
    assert rendered["poor_balance"].action == "modify"
    assert rendered["poor_balance"].care_level is None
