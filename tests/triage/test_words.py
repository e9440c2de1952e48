"""Texts that a frightened person understands: short, plain, and with consistent terms.

The grade of an English text is its Automated Readability Index, which needs no guess at syllables:
4.71 * characters per word + 0.5 * words per sentence - 21.43. No such formula is established for
Spanish; there, sentences are short and words keep to the glossary.
"""

import re
from collections.abc import Iterator

import pytest

from api.content.catalogue import Catalogue
from api.triage.cautious import WORDS

WORD_PATTERN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SENTENCE_END = re.compile(r"[.!?:]+(?=\s|$)")
CALLS = {
    "{emergency_call}": {"en": "Call emergency services", "es": "Llama a emergencias"},
    "{crisis_call}": {"en": "Call a crisis line", "es": "Llama a una línea de crisis"},
    "{date}": {"en": "2026-11-22", "es": "2026-11-22"},
}
# Spanish words to avoid, and their replacements.
NOT_SAID = {
    r"\bpinchazos\b": "hormigueo: pinchazos are stabbing pains",
    r"\burgencias\b": "hospital, emergencias: urgencias are urgent care in some countries",
    r"\busted(es)?\b": "tú",
    r"\d\.\d": "a comma in decimals",
    r"\bno resultó convincente\b": "no encontró pruebas convincentes",
}


def filled(text: str, language: str) -> str:
    for place, call in CALLS.items():
        text = text.replace(place, call[language])
    return text


def grade(text: str) -> float:
    words = WORD_PATTERN.findall(text)
    sentences = max(1, len(SENTENCE_END.findall(text)))
    return 4.71 * sum(map(len, words)) / len(words) + 0.5 * len(words) / sentences - 21.43


def shown_at_once(catalogue: Catalogue, language: str) -> Iterator[tuple[str, str]]:
    """Return headlines, messages, actions and notices."""
    for level in catalogue.levels:
        yield f"message of {level.id}", level.message[language]
    for action in catalogue.actions:
        yield f"headline of {action.code}", action.headline[language]
        yield f"text of {action.code}", action.text[language]
    for status in catalogue.head.activity_status:
        yield f"activities {status.status}", status.text[language]
    phrases = catalogue.head.phrases
    yield "answer_first", phrases.answer_first[language]
    yield "questions_first", phrases.questions_first[language]
    yield "late_report", phrases.late_report[language]
    for name in ("headline", "message", "action", "activities"):
        yield f"cautious {name}", WORDS[name][language]


def reasons(catalogue: Catalogue, language: str) -> Iterator[tuple[str, str]]:
    for rule in (*catalogue.rules, *catalogue.session_rules):
        yield rule.id, rule.text[language]


def every_text(catalogue: Catalogue, language: str) -> Iterator[tuple[str, str]]:
    yield from shown_at_once(catalogue, language)
    yield from reasons(catalogue, language)
    for question in catalogue.questions:
        yield question.id, question.text[language]
        if question.help is not None:
            yield f"help of {question.id}", question.help[language]
        for choice in question.choices:
            yield f"{question.id}: {choice.id}", choice.text[language]
    for part in catalogue.head.safety_net:
        yield "safety net", part.title[language]
        for sign in part.signs:
            yield "safety net", sign[language]
    for screen in catalogue.screens:
        yield screen.id, screen.title[language]


def test_the_grade_is_that_of_the_formula() -> None:
    # 26 characters in 7 words, and 38 in 8, each in one sentence.
    assert round(grade("No rule matched what you told us."), 2) == -0.44
    assert round(grade("Call emergency services or go to hospital now"), 2) == 4.94


def test_texts_shown_first_are_at_most_grade_6(catalogue: Catalogue) -> None:
    graded = {name: grade(filled(text, "en")) for name, text in shown_at_once(catalogue, "en")}
    assert len(graded) > 40
    print(f"headline, message, actions: at most {max(graded.values()):.1f}")  # noqa: T201  # the figure, for `pytest -rP`
    assert {name: round(found, 1) for name, found in graded.items() if found > 6} == {}


def test_reasons_are_at_most_grade_8(catalogue: Catalogue) -> None:
    graded = {name: grade(text) for name, text in reasons(catalogue, "en")}
    ordered = sorted(graded.values())
    print(f"reasons: median {ordered[len(ordered) // 2]:.1f}, at most {ordered[-1]:.1f}")  # noqa: T201  # the figure, for `pytest -rP`
    assert {name: round(found, 1) for name, found in graded.items() if found > 8} == {}


@pytest.mark.parametrize("language", ["en", "es"])
def test_sentences_are_short_and_have_no_brackets_in_brackets(
    catalogue: Catalogue, language: str
) -> None:
    faults = [
        (name, sentence)
        for name, text in (*shown_at_once(catalogue, language), *reasons(catalogue, language))
        for sentence in re.split(r"(?<=[.!?])\s+", filled(text, language))
        if len(sentence.split()) > 22 or "(" in sentence
    ]
    assert faults == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_texts_mention_no_design_choice_and_no_statistics(
    catalogue: Catalogue, language: str
) -> None:
    ours = re.compile(
        r"our choice|elección nuestra|\d\s?%|\bstud(y|ies)\b|\bestudio", re.IGNORECASE
    )
    assert [name for name, text in every_text(catalogue, language) if ours.search(text)] == []


def test_spanish_texts_use_the_terms_of_the_glossary(catalogue: Catalogue) -> None:
    faults = [
        (name, instead)
        for name, text in every_text(catalogue, "es")
        for words, instead in NOT_SAID.items()
        if re.search(words, text, re.IGNORECASE)
    ]
    assert faults == []


def test_every_term_of_the_glossary_is_in_use() -> None:
    said = "pinchazos urgencias usted 2.5 no resultó convincente"
    assert all(re.search(words, said) for words in NOT_SAID)
