"""Checks of the seed folder that a schema cannot express, mostly between entries.

Every check yields faults with the file and the JSON Pointer of the value to fix.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from string import Formatter
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from api.content import seed
from api.content.catalogue import ENTRY_FILES, HEAD_FILE, Catalogue
from api.content.loading import SeedFault
from api.content.release import entry_key
from api.content.vocabulary import ActivityKind, QuestionType, ReviewStatus
from api.http.problems import pointer

LANGUAGE_CODE = re.compile(r"^[a-z]{2}$")
PLACEHOLDER = re.compile(r"\{\{([a-z0-9_]+)\}\}")
# Apps rely on these ids of the article's activities.
CONTRACT_IDS = {
    "exercises": ("toe-curls", "arch-rolls", "heel-raises"),
    "massages": ("heel-massage", "inner-edge-massage", "sore-spot-massage"),
    "warnings": ("severe-or-persistent-pain", "radiating-pain", "numbness-or-tingling"),
    "tips": ("be-consistent", "pair-with-back-stretches", "use-essential-oils"),
    "benefits": ("improves-posture", "releases-tension", "enhances-circulation"),
    "routines": ("daily-15-minutes",),
}
# The sentences that the code builds responses with, and their placeholders.
PHRASES: Mapping[str, set[str]] = {
    "plan_contraindicated": {"conditions"},
    "plan_ask_first": {"conditions"},
    "plan_equipment": {"equipment"},
    "plan_position": set(),
    "plan_time": set(),
    "plan_hold": set(),
    "plan_caution": set(),
    "plan_does_not_fit": {"minutes", "seconds"},
    "plan_shortened": set(),
    "plan_empty": set(),
    "plan_seek_help": {"conditions"},
    "pain_improved": set(),
    "erasure_what_stays": set(),
    "reminder_title": set(),
    "pain_worse": set(),
    "pain_no_important_change": set(),
    "pain_not_enough_data": set(),
    "aggregates_guarantee": {"percent"},
    "aggregates_ledger": {"percent"},
    "aggregates_ledger_empty": set(),
    "aggregates_table_routine": set(),
    "aggregates_table_age": set(),
    "aggregates_table_region": set(),
    "aggregates_table_all": set(),
    "aggregates_table_red_flag_rule": set(),
    "aggregates_table_red_flag": set(),
    "aggregates_stat_people": set(),
    "aggregates_stat_adherence": set(),
    "aggregates_stat_pain_change": set(),
    "aggregates_stat_sessions": set(),
    "aggregates_stat_red_flags": set(),
    "aggregates_status_ok": set(),
    "aggregates_status_unstable": set(),
    "aggregates_status_suppressed": set(),
    "aggregates_status_not_released": set(),
    "aggregates_key_all": set(),
    "aggregates_key_unknown": set(),
    "aggregates_key_personalised": set(),
    "aggregates_key_other": set(),
    "aggregates_age_under": {"age"},
    "aggregates_age_between": {"first", "last"},
    "aggregates_age_from": {"age"},
}
# The sources of the content itself: the article, which names no author or publisher, and us.
OWN_SOURCES = {"footing-article", "footing-design"}
SIDES = ("none", "left", "right", "both", "unknown")
# Apps render the drawings, which must not run or fetch anything.
FORBIDDEN_ELEMENTS = {
    "text",
    "script",
    "foreignObject",
    "image",
    "use",
    "style",
    "a",
    "animate",
    "set",
}


def _files(catalogue: Catalogue) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    for name, (field, _) in ENTRY_FILES.items():
        yield name, field, getattr(catalogue, field)


def _key(entry: seed.SeedModel) -> str:
    names = (getattr(entry, name, None) for name in ("id", "code", "country"))
    return str(next(name for name in names if name))


def check_ids(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Ids are unique, and those that apps rely on exist."""
    for name, field, entries in _files(catalogue):
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            key = entry_key(entry) if field == "consents" else _key(entry)
            if key in seen:
                yield SeedFault(name, f"/{index}", f'"{_key(entry)}" is listed twice')
            seen.add(key)
        for wanted in CONTRACT_IDS.get(field, ()):
            if wanted not in seen:
                yield SeedFault(name, "", f'"{wanted}" is missing; apps rely on it')
    activities = [activity.id for activity in catalogue.activities]
    for index, massage in enumerate(catalogue.massages):
        if activities.count(massage.id) > 1:
            yield SeedFault("massages.json", f"/{index}/id", "is also the id of an exercise")
    known = {phrase.id for phrase in catalogue.phrases}
    for wanted in PHRASES:
        if wanted not in known:
            yield SeedFault("phrases.json", "", f'"{wanted}" is missing, which the code uses')


def check_phrases(catalogue: Catalogue) -> Iterator[SeedFault]:
    """The code's sentences have exactly the placeholders that the code fills in."""
    for index, phrase in enumerate(catalogue.phrases):
        wanted = PHRASES.get(phrase.id, set())
        for language, text in phrase.text.items():
            try:
                found = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
            except ValueError:
                found = None
            if found != wanted:
                places = " and ".join(f"{{{name}}}" for name in sorted(wanted))
                message = f"must have the places to fill in: {places or 'none'}"
                yield SeedFault("phrases.json", pointer((index, "text", language)), message)


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        if (
            value
            and all(LANGUAGE_CODE.match(key) for key in value)
            and all(isinstance(text, str) for text in value.values())
        ):
            yield path, value
            return
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))


def check_translations(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every text exists in every language of the seed folder, and in no other."""
    codes = set(catalogue.language_codes)
    if "en" not in codes:
        yield SeedFault(
            "languages.json", "", "English is missing: it is used when no language matches"
        )
    documents = [
        (name, [e.model_dump() for e in entries]) for name, _, entries in _files(catalogue)
    ]
    documents.append((HEAD_FILE, catalogue.head.model_dump()))  # type: ignore[arg-type]
    for name, document in documents:
        for path, text in _texts(document, ()):
            for code in sorted(codes - text.keys()):
                yield SeedFault(
                    name, pointer((*path, code)), f'the translation "{code}" is missing'
                )
            for code in sorted(text.keys() - codes):
                yield SeedFault(name, pointer((*path, code)), "is not in languages.json")
            for code in sorted(codes & text.keys()):
                if not text[code].strip():
                    yield SeedFault(name, pointer((*path, code)), "the text is empty")


# Which lists of ids point to which field of the catalogue.
REFERENCES = {
    "source_ids": ("sources",),
    "media_id": ("media",),
    "media_ids": ("media",),
    "question_ids": ("questions",),
    "question_id": ("questions",),
    "questions": ("questions",),
    "tip_ids": ("tips",),
    "activity_id": ("exercises", "massages"),
    "applies_to": ("exercises", "massages", "tips"),
    "condition": ("conditions",),
    "action": ("actions",),
    "incomplete_action": ("actions",),
    "replaces": ("actions",),
}
# The same key means something else in these files.
NO_REFERENCE = {
    ("triage/session-rules.json", "condition"),
    # These facts come from a session's figures, not from questions.
    ("triage/session-facts.json", "questions"),
    ("triage/rules.json", "condition"),
    ("cautions.json", "action"),
}


def _references(
    value: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in REFERENCES and isinstance(inner, str):
                yield key, (*path, key), inner
            elif key in REFERENCES and isinstance(inner, list):
                for index, item in enumerate(inner):
                    yield key, (*path, key, index), item
            else:
                yield from _references(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _references(inner, (*path, index))


def check_references(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every id that an entry refers to exists."""
    known = {field: {_key(entry) for entry in entries} for _, field, entries in _files(catalogue)}
    documents: list[tuple[str, Any]] = [
        (name, [entry.model_dump(mode="json") for entry in entries])
        for name, _, entries in _files(catalogue)
    ]
    documents.append((HEAD_FILE, catalogue.head.model_dump(mode="json")))
    for name, document in documents:
        for key, path, value in _references(document, ()):
            if (name, key) in NO_REFERENCE or (key == "applies_to" and name != "cautions.json"):
                continue
            if not any(value in known[field] for field in REFERENCES[key]):
                where = " or ".join(REFERENCES[key])
                yield SeedFault(name, pointer(path), f'"{value}" is not in {where}')


def _claims(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, seed.Claim):
        yield path, value
    elif isinstance(value, seed.SeedModel):
        for key in type(value).model_fields:
            yield from _claims(getattr(value, key), (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _claims(inner, (*path, index))


def check_claims(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every claim has a source, also a claim that nothing was shown."""
    for name, _, entries in _files(catalogue):
        for path, claim in _claims(entries, ()):
            if not claim.evidence.source_ids:
                place = pointer((*path, "evidence", "source_ids"))
                yield SeedFault(name, place, f'the claim "{claim.id}" has no source')


def check_sources(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every source can be found: by a number, a URL, or the name of a document."""
    for index, source in enumerate(catalogue.sources):
        named = source.doi or source.isbn or source.pmid or source.document or source.url
        if not named and source.id not in OWN_SOURCES:
            message = "needs a doi, isbn, pmid, document or url by which it can be found"
            yield SeedFault("sources.json", f"/{index}", message)


def check_reviews(today: datetime.date) -> Callable[[Catalogue], Iterator[SeedFault]]:
    """Make the check that no review is overdue on a given day."""

    def check(catalogue: Catalogue) -> Iterator[SeedFault]:
        reviews: list[tuple[str, str, seed.Review]] = [
            (name, f"/{index}/review", entry.review)
            for name, _, entries in _files(catalogue)
            for index, entry in enumerate(entries)
            if isinstance(getattr(entry, "review", None), seed.Review)
        ]
        reviews.append((HEAD_FILE, "/review", catalogue.head.review))
        for name, place, review in reviews:
            if review.due_at < today:
                message = f"the review was due on {review.due_at}"
                yield SeedFault(name, f"{place}/due_at", message, "overdue")
            if review.reviewed_at > today:
                yield SeedFault(name, f"{place}/reviewed_at", "is in the future")
            if review.status is ReviewStatus.CLINICALLY_REVIEWED and not review.reviewer:
                yield SeedFault(name, f"{place}/reviewer", "a clinical review needs a reviewer")

    return check


def _range_faults(name: str, value: Any, path: tuple[str | int, ...]) -> Iterator[SeedFault]:
    if isinstance(value, seed.Range):
        if value.min > value.max:
            message = f"the least ({value.min}) is more than the most ({value.max})"
            yield SeedFault(name, pointer(path), message)
    elif isinstance(value, seed.SeedModel):
        for key in type(value).model_fields:
            yield from _range_faults(name, getattr(value, key), (*path, key))


def check_dosages(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Every dosage is possible, and its duration can be computed."""
    for name, entries in (
        ("exercises.json", catalogue.exercises),
        ("massages.json", catalogue.massages),
        ("routines.json", catalogue.routines),
    ):
        for index, entry in enumerate(entries):
            yield from _range_faults(name, entry, (index,))
    for name, activities in (
        ("exercises.json", catalogue.exercises),
        ("massages.json", catalogue.massages),
    ):
        for index, activity in enumerate(activities):
            dosage, pace, place = activity.dosage, activity.pace, f"/{index}/dosage"
            if (dosage.sets is None) != (dosage.repetitions is None):
                yield SeedFault(name, place, "sets and repetitions must be given together")
            if dosage.repetitions is not None and dosage.repetitions.min == 0:
                yield SeedFault(name, f"{place}/repetitions/min", "must be at least 1")
            if dosage.seconds_per_side is not None and dosage.seconds_per_side.max == 0:
                yield SeedFault(name, f"{place}/seconds_per_side/max", "must be at least 1")
            if dosage.sets is not None and (pace is None or pace.seconds_per_repetition is None):
                yield SeedFault(name, f"/{index}/pace", "repetitions need seconds_per_repetition")
            if (
                dosage.sets is None
                and dosage.seconds_per_side is None
                and (pace is None or pace.seconds_per_side is None)
            ):
                yield SeedFault(name, f"/{index}/pace", "no time is given, so one must be assumed")


def check_kinds(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Exercises have no fields of massages, and massages have all of them."""
    for name, activities, kind in (
        ("exercises.json", catalogue.exercises, ActivityKind.EXERCISE),
        ("massages.json", catalogue.massages, ActivityKind.MASSAGE),
    ):
        for index, activity in enumerate(activities):
            if activity.kind is not kind:
                yield SeedFault(name, f"/{index}/kind", f'must be "{kind}" in this file')
            if (activity.massage is None) == (kind is ActivityKind.MASSAGE):
                message = "is needed" if kind is ActivityKind.MASSAGE else "must be null"
                yield SeedFault(name, f"/{index}/massage", message)


def check_consents(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Each consent has one current text, and both are of one version."""
    current = [consent for consent in catalogue.consents if consent.current]
    if sorted(consent.id for consent in current) != ["research", "storage"]:
        yield SeedFault("consents.json", "", "needs one current text for storage and for research")
    elif len({consent.version for consent in current}) > 1:
        yield SeedFault("consents.json", "", "the current texts are of different versions")


def check_drawings(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Drawings are well-formed, inert, without words, and have a title and a description."""
    for index, media in enumerate(catalogue.media):
        template = catalogue.drawings[media.id]
        wanted = set(PLACEHOLDER.findall(template))
        given = {"title", "description"}
        for name in sorted(wanted - given):
            yield SeedFault(media.file, "", f"has a place for {name}, which no entry gives")
        for name in sorted(given - wanted):
            message = f"{media.file} has no place for it"
            yield SeedFault("media.json", f"/{index}/{name}", message)
        if "{{" in PLACEHOLDER.sub("", template):
            yield SeedFault(media.file, "", 'holds "{{", which is no place for a text')
        try:
            elements = list(fromstring(template).iter())
        except (ParseError, DefusedXmlException) as error:
            yield SeedFault(media.file, "", f"not well-formed: {type(error).__name__}")
            continue
        for element in elements:
            tag = element.tag.rpartition("}")[2]
            if tag in FORBIDDEN_ELEMENTS:
                yield SeedFault(
                    media.file, "", f"contains <{tag}>, which is not allowed in drawings"
                )
            for attribute in element.attrib:
                bare = attribute.rpartition("}")[2].lower()
                if bare.startswith("on") or bare == "href":
                    yield SeedFault(
                        media.file, "", f"contains {bare}=, which is not allowed in drawings"
                    )


def check_questions(catalogue: Catalogue) -> Iterator[SeedFault]:
    """Numbers have bounds, choices have choices, and sides have their five."""
    for index, question in enumerate(catalogue.questions):
        choices = [choice.id for choice in question.choices]
        place = f"/{index}"
        if question.type is QuestionType.INTEGER:
            if question.minimum is None or question.maximum is None or choices:
                message = "an integer question has a minimum and a maximum, and no choices"
                yield SeedFault("triage/questions.json", place, message)
        elif question.minimum is not None or question.maximum is not None or not choices:
            message = "a question with choices has choices, and no minimum or maximum"
            yield SeedFault("triage/questions.json", place, message)
        if question.type is QuestionType.SIDES and choices != list(SIDES):
            message = f"the choices must be {', '.join(SIDES)}"
            yield SeedFault("triage/questions.json", f"{place}/choices", message)
        if len(set(choices)) < len(choices):
            yield SeedFault("triage/questions.json", f"{place}/choices", "a choice is listed twice")


ALL: tuple[Callable[[Catalogue], Iterable[SeedFault]], ...] = (
    check_ids,
    check_phrases,
    check_translations,
    check_references,
    check_claims,
    check_sources,
    check_dosages,
    check_kinds,
    check_consents,
    check_drawings,
    check_questions,
)


def summary(catalogue: Catalogue) -> Mapping[str, int]:
    """Count the entries of each file."""
    return {name: len(entries) for name, _, entries in _files(catalogue)}
