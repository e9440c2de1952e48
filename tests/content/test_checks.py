"""Checks of the seed folder: each fault is listed with file, place and reason."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from api.content.catalogue import Catalogue
from api.content.checks import check_reviews
from tests.content.seed_folder import SeedFolder

SeedEdit = Callable[[SeedFolder], None]
EXERCISES = "exercises.json"
MASSAGES = "massages.json"
RULES = "triage/rules.json"
CURLS = "media/toe-curls.svg"
MAP = "media/foot-map.svg"


def put(file: str, pointer: str, value: Any) -> SeedEdit:
    return lambda folder: folder.put(file, pointer, value)


def drop(file: str, pointer: str) -> SeedEdit:
    return lambda folder: folder.drop(file, pointer)


def replace(file: str, old: str, new: str) -> SeedEdit:
    return lambda folder: folder.replace(file, old, new)


def copy_entry(file: str, index: int) -> SeedEdit:
    return lambda folder: folder.put(file, "/-", folder.read(file)[index])


BROKEN: dict[str, tuple[SeedEdit, list[str]]] = {
    # References.
    "a claim that cites an unknown source": (
        put(EXERCISES, "/0/why/evidence/source_ids/0", "no-such-source"),
        ['exercises.json#/0/why/evidence/source_ids/0: "no-such-source" is not in sources'],
    ),
    "a source that can't be found again": (
        put("sources.json", "/2/url", None),
        [
            "sources.json#/2: needs a doi, isbn, pmid, document or url by which it can be found",
        ],
    ),
    "an exercise with an unknown drawing": (
        put(EXERCISES, "/0/media_ids/0", "no-such"),
        ['exercises.json#/0/media_ids/0: "no-such" is not in media'],
    ),
    "a routine of an unknown activity": (
        put("routines.json", "/0/items/0/activity_id", "no-such"),
        ['routines.json#/0/items/0/activity_id: "no-such" is not in exercises or massages'],
    ),
    "a routine with an unknown tip": (
        put("routines.json", "/0/tip_ids/0", "no-such"),
        ['routines.json#/0/tip_ids/0: "no-such" is not in tips'],
    ),
    "a caution for an unknown condition": (
        put("cautions.json", "/0/condition", "no_such"),
        ['cautions.json#/0/condition: "no_such" is not in conditions'],
    ),
    "a caution for an unknown activity": (
        put("cautions.json", "/0/applies_to/6", "no-such"),
        [
            'cautions.json#/0/applies_to/6: "no-such" is not in exercises or massages or tips',
        ],
    ),
    "a condition that an unknown question asks for": (
        put("conditions.json", "/1/question_id", "no_such"),
        ['conditions.json#/1/question_id: "no_such" is not in questions'],
    ),
    "a warning that an unknown question asks for": (
        put("warnings.json", "/0/question_ids/1", "no_such"),
        ['warnings.json#/0/question_ids/1: "no_such" is not in questions'],
    ),
    "a rule with an unknown action": (
        put(RULES, "/0/action", "no_such"),
        ['triage/rules.json#/0/action: "no_such" is not in actions'],
    ),
    "a rule set that ends with an unknown action": (
        put("triage/rule-set.json", "/complete_actions/1/action", "no_such"),
        ['triage/rule-set.json#/complete_actions/1/action: "no_such" is not in actions'],
    ),
    # Duplicate and missing entries.
    "a benefit that stands twice": (
        copy_entry("benefits.json", 0),
        ['benefits.json#/3: "improves-posture" is listed twice'],
    ),
    "a warning of the article that is gone": (
        drop("warnings.json", "/1"),
        ['warnings.json#: "radiating-pain" is missing; apps rely on it'],
    ),
    "an exercise that is also a massage": (
        lambda folder: folder.put(
            MASSAGES,
            "/-",
            folder.read(MASSAGES)[0] | {"id": "toe-curls", "media_ids": ["foot-map"]},
        ),
        ["massages.json#/3/id: is also the id of an exercise"],
    ),
    # Languages.
    "a step without its translation": (
        drop(EXERCISES, "/0/steps/1/text/es"),
        ['exercises.json#/0/steps/1/text/es: the translation "es" is missing'],
    ),
    "a phrase of the rule set without its translation": (
        drop("triage/rule-set.json", "/phrases/disclaimer/es"),
        ['triage/rule-set.json#/phrases/disclaimer/es: the translation "es" is missing'],
    ),
    "a title in a language that is not announced": (
        put(EXERCISES, "/0/title/fr", "Flexions"),
        ["exercises.json#/0/title/fr: is not in languages.json"],
    ),
    "a translation that is blank": (
        put(EXERCISES, "/0/title/es", "  "),
        ["exercises.json#/0/title/es: the text is empty"],
    ),
    # Evidence.
    "a claim without a source": (
        put("benefits.json", "/1/why/evidence/source_ids", []),
        [
            (
                "benefits.json#/1/why/evidence/source_ids: "
                'the claim "releases-tension-why" has no source'
            )
        ],
    ),
    "a claim of a routine without a source": (
        put("routines.json", "/0/claims/2/evidence/source_ids", []),
        [
            (
                "routines.json#/0/claims/2/evidence/source_ids: "
                'the claim "weak-feet-strain-the-spine" has no source'
            )
        ],
    ),
    # Reviews.
    "a review dated in the future": (
        put(EXERCISES, "/1/review/reviewed_at", "2998-01-01"),
        ["exercises.json#/1/review/reviewed_at: is in the future"],
    ),
    "a clinical review by nobody": (
        put(EXERCISES, "/1/review/status", "clinically_reviewed"),
        ["exercises.json#/1/review/reviewer: a clinical review needs a reviewer"],
    ),
    # Dosages.
    "a dosage whose least is more than its most": (
        put(EXERCISES, "/0/dosage/seconds_per_side", {"min": 180, "max": 120}),
        [
            (
                "exercises.json#/0/dosage/seconds_per_side: "
                "the least (180) is more than the most (120)"
            )
        ],
    ),
    "sets without repetitions": (
        put(EXERCISES, "/2/dosage/repetitions", None),
        ["exercises.json#/2/dosage: sets and repetitions must be given together"],
    ),
    "no repetition at all": (
        put(EXERCISES, "/2/dosage/repetitions/min", 0),
        ["exercises.json#/2/dosage/repetitions/min: must be at least 1"],
    ),
    "no second at all": (
        put(EXERCISES, "/0/dosage/seconds_per_side", {"min": 0, "max": 0}),
        ["exercises.json#/0/dosage/seconds_per_side/max: must be at least 1"],
    ),
    "repetitions of unknown length": (
        put(EXERCISES, "/2/pace/seconds_per_repetition", None),
        ["exercises.json#/2/pace: repetitions need seconds_per_repetition"],
    ),
    "a massage of unknown length": (
        put(MASSAGES, "/1/pace", None),
        ["massages.json#/1/pace: no time is given, so one must be assumed"],
    ),
    # Kinds.
    "a massage among the exercises": (
        put(EXERCISES, "/0/kind", "massage"),
        ['exercises.json#/0/kind: must be "exercise" in this file'],
    ),
    "a massage without zone and stroke": (
        put(MASSAGES, "/0/massage", None),
        ["massages.json#/0/massage: is needed"],
    ),
    # Phrases.
    "a sentence that the code needs and that is gone": (
        drop("phrases.json", "/0"),
        ['phrases.json#: "plan_contraindicated" is missing, which the code uses'],
    ),
    "a sentence with a misspelt place": (
        put("phrases.json", "/0/text/es", "No está incluido: {condiciones}."),
        ["phrases.json#/0/text/es: must have the places to fill in: {conditions}"],
    ),
    "a sentence with an open brace": (
        put("phrases.json", "/3/text/en", "Done in {"),
        ["phrases.json#/3/text/en: must have the places to fill in: none"],
    ),
    # Consents.
    "no current consent text for storage": (
        put("consents.json", "/0/current", False),  # noqa: FBT003
        ["consents.json#: needs one current text for storage and for research"],
    ),
    "current consent texts of two versions": (
        put("consents.json", "/0/version", "2026-11-23"),
        ["consents.json#: the current texts are of different versions"],
    ),
    # Drawings.
    "a drawing with a script": (
        replace(CURLS, "</svg>", "<script>alert(1)</script></svg>"),
        ["media/toe-curls.svg#: contains <script>, which is not allowed in drawings"],
    ),
    "a drawing that runs something when it is shown": (
        replace(CURLS, "<svg ", '<svg onload="alert(1)" '),
        ["media/toe-curls.svg#: contains onload=, which is not allowed in drawings"],
    ),
    "a drawing with a link": (
        replace(CURLS, "<svg ", '<svg xmlns:x="http://www.w3.org/1999/xlink" x:href="#a" '),
        ["media/toe-curls.svg#: contains href=, which is not allowed in drawings"],
    ),
    "a drawing that fetches a picture": (
        replace(CURLS, "</svg>", "<image/></svg>"),
        ["media/toe-curls.svg#: contains <image>, which is not allowed in drawings"],
    ),
    "a drawing that is not well-formed": (
        replace(CURLS, "</svg>", ""),
        ["media/toe-curls.svg#: not well-formed: ParseError"],
    ),
    "a drawing with an entity that could explode": (
        replace(CURLS, "<svg ", '<!DOCTYPE svg [<!ENTITY a "b">]><svg '),
        ["media/toe-curls.svg#: not well-formed: EntitiesForbidden"],
    ),
    "a drawing with a place that no text fills": (
        replace(MAP, "</svg>", "{{note_9}}</svg>"),
        ["media/foot-map.svg#: has a place for note_9, which no entry gives"],
    ),
    "a drawing with words inside": (
        replace(MAP, "</svg>", "<text>Heel</text></svg>"),
        ["media/foot-map.svg#: contains <text>, which is not allowed in drawings"],
    ),
    "a step with an unknown picture": (
        put(EXERCISES, "/0/steps/1/media_id", "no-such"),
        ['exercises.json#/0/steps/1/media_id: "no-such" is not in media'],
    ),
    "a drawing that would show its braces": (
        replace(MAP, "{{title}}", "{{title}}{{"),
        ['media/foot-map.svg#: holds "{{", which is no place for a text'],
    ),
    "a drawing without a title for screen readers": (
        replace(MAP, "{{title}}", "Map"),
        ["media.json#/11/title: media/foot-map.svg has no place for it"],
    ),
    # Questions.
    "a number without bounds": (
        put("triage/questions.json", "/13/minimum", None),
        [
            (
                "triage/questions.json#/13: "
                "an integer question has a minimum and a maximum, and no choices"
            )
        ],
    ),
    # The rule set.
    "a fact that reads an unknown question": (
        put("triage/facts.json", "/0/questions/0", "no_such"),
        [
            'triage/facts.json#/0: "no_such" is not a question',
            'triage/facts.json#/0/questions/0: "no_such" is not in questions',
        ],
    ),
    "a rule that reads an unknown fact": (
        lambda folder: folder.put(
            RULES, "/0", folder.read(RULES)[0] | {"reads": ["mood"], "condition": {"var": "mood"}}
        ),
        [
            (
                'triage/rules.json#/0/condition: reads "mood", '
                "which is neither a fact nor a question's fact"
            )
        ],
    ),
    "a rule that says it reads what it does not": (
        put(RULES, "/0/reads/-", "fever"),
        [
            (
                'triage/rules.json#/0/reads: "fever" must be in reads and in the condition, '
                "or in neither"
            )
        ],
    ),
    "a rule with an operator that could silence it": (
        put(RULES, "/0/condition", {"!": [{"var": "saddle_numbness"}]}),
        [
            (
                'triage/rules.json#/0/condition: uses the operator "!"; '
                "only ['===', 'and', 'in', 'or', 'var'] are allowed"
            )
        ],
    ),
    "a rule that is not monotone": (
        put(RULES, "/0/condition", {"===": [{"var": "saddle_numbness"}, False]}),
        [
            (
                "triage/rules.json#/0/condition: is not monotone: "
                "a worse answer could stop it from firing"
            ),
        ],
    ),
    "a rule against its own example": (
        put(RULES, "/0/examples/0/fires", False),  # noqa: FBT003
        ["triage/rules.json#/0/examples/0: E01 fires, against its example"],
    ),
    "an example that answers an unknown question": (
        put(RULES, "/0/examples/0/answers/mood", "yes"),
        ['triage/rules.json#/0/examples/0/answers: "mood" is not a question'],
    ),
}


@pytest.mark.parametrize(("edit", "faults"), BROKEN.values(), ids=BROKEN.keys())
def test_a_fault_is_explained_with_its_file_and_its_place(
    seed_folder: SeedFolder, edit: SeedEdit, faults: list[str]
) -> None:
    edit(seed_folder)
    assert seed_folder.check() == (1, [*faults, f"{len(faults)} faults."])


def test_an_overdue_review_fails_the_check(seed_folder: SeedFolder) -> None:
    seed_folder.put(EXERCISES, "/1/review/due_at", "2021-01-01")
    seed_folder.put("triage/rule-set.json", "/review/due_at", "2021-01-02")
    assert seed_folder.check() == (
        1,
        [
            "exercises.json#/1/review/due_at: the review was due on 2021-01-01",
            "triage/rule-set.json#/review/due_at: the review was due on 2021-01-02",
        ],
    )


def test_a_review_is_overdue_on_the_day_after_it_is_due(catalogue: Catalogue) -> None:
    due = min(exercise.review.due_at for exercise in catalogue.exercises)
    assert list(check_reviews(due)(catalogue)) == []
    overdue = list(check_reviews(due + datetime.timedelta(days=1))(catalogue))
    assert "exercises.json#/0/review/due_at" in {f"{f.file}#{f.pointer}" for f in overdue}
    assert {fault.severity for fault in overdue} == {"overdue"}


def test_a_missing_source_is_listed_at_every_place_that_cites_it(seed_folder: SeedFolder) -> None:
    seed_folder.drop_entry("sources.json", "poole-2007")
    code, lines = seed_folder.check()
    assert code == 1
    files = {line.partition("#")[0] for line in lines[:-1]}
    assert {"massages.json", "benefits.json", "routines.json"} <= files
    assert all(line.endswith('"poole-2007" is not in sources') for line in lines[:-1])


def test_english_is_required(seed_folder: SeedFolder) -> None:
    seed_folder.put("languages.json", "/0/code", "de")
    code, lines = seed_folder.check()
    assert code == 1
    assert "languages.json#: English is missing: it is used when no language matches" in lines
    assert 'exercises.json#/0/title/de: the translation "de" is missing' in lines
