"""The duration of an activity, from its dosage and, where that has no time, its pace."""

from typing import Any

import pytest

from api.content.catalogue import Catalogue
from api.content.durations import estimate, total
from api.content.seed import Activity, Dosage, Pace, Range


def bounds(least: int, most: int) -> Range:
    return Range(min=least, max=most)


def activity(catalogue: Catalogue, dosage: dict[str, Any], **changes: Any) -> Activity:
    """Make an activity with a given dosage."""
    empty = {"seconds_per_side": None, "sets": None, "repetitions": None, "per_day": 1}
    made = Dosage.model_validate(empty | {"source": "seed"} | dosage)
    return catalogue.exercises[0].model_copy(update={"dosage": made, "pace": None, **changes})


def pace(**figures: Any) -> Pace:
    empty = {"seconds_per_side": None, "seconds_per_repetition": None, "rest_seconds": None}
    return Pace.model_validate(empty | {"assumption": {"en": "So."}, "source_ids": []} | figures)


def test_each_foot_counts(catalogue: Catalogue) -> None:
    timed = {"seconds_per_side": bounds(120, 180)}
    assert estimate(activity(catalogue, timed)) == bounds(240, 360)
    both = activity(catalogue, timed, side_handling="both_feet")
    assert estimate(both) == bounds(120, 180)


def test_sets_count_with_the_rests_between_them(catalogue: Catalogue) -> None:
    dosage = {"sets": 3, "repetitions": bounds(10, 12)}
    paced = pace(seconds_per_repetition=5, rest_seconds=20)
    assert estimate(activity(catalogue, dosage, pace=paced)) == bounds(190, 220)


def test_one_set_has_no_rest(catalogue: Catalogue) -> None:
    dosage = {"sets": 1, "repetitions": bounds(10, 10)}
    paced = pace(seconds_per_repetition=5, rest_seconds=20)
    assert estimate(activity(catalogue, dosage, pace=paced)) == bounds(50, 50)


def test_a_dosage_without_a_time_uses_the_assumed_one(catalogue: Catalogue) -> None:
    paced = pace(seconds_per_side=bounds(15, 60))
    assert estimate(activity(catalogue, {}, pace=paced)) == bounds(30, 120)


def test_a_time_of_the_article_comes_before_an_assumed_one(catalogue: Catalogue) -> None:
    paced = pace(seconds_per_side=bounds(15, 60))
    timed = {"seconds_per_side": bounds(120, 180)}
    assert estimate(activity(catalogue, timed, pace=paced)) == bounds(240, 360)


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], (0, 0)),
        ([(30, 60)], (30, 60)),
        ([(30, 60), (0, 10)], (35, 85)),
        ([(30, 60), (0, 10), (1, 1)], (41, 101)),
    ],
)
def test_there_is_a_change_over_between_two_parts_and_none_around_them(
    parts: list[tuple[int, int]], whole: tuple[int, int]
) -> None:
    assert total([bounds(*part) for part in parts], bounds(5, 15)) == bounds(*whole)
