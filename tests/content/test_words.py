"""The texts that users read: our own, short enough, and with consistent terms in Spanish."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.core.config import SEED_FOLDER

Json = dict[str, Any]
DOCUMENT = Path("docs/content.md")
# SHA-256 prefixes of every eight consecutive words within a sentence of the article, whose text we
# may not publish. Words are lower case, without apostrophes; digits count as words.
ARTICLE = frozenset((Path(__file__).parent / "article_ngrams.txt").read_text("utf-8").split())
RUN = 8
FILES = sorted(file.name for file in SEED_FOLDER.glob("*.json"))
# The texts that people act on, by file, with the highest grade allowed.
ACTING = {"exercises.json": 6, "massages.json": 6, "tips.json": 6}
WARNING = {"cautions.json": 8, "warnings.json": 8}


def texts(value: Any, place: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        if "en" in value and isinstance(value["en"], str):
            yield place, value
        else:
            for key, inner in value.items():
                yield from texts(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, f"{place}/{index}")


def seed(file: str) -> list[tuple[str, Json]]:
    return list(texts(json.loads((SEED_FOLDER / file).read_text("utf-8"))))


def runs(text: str) -> Iterator[str]:
    words = re.findall(r"[a-z0-9]+", text.lower().replace("’", "").replace("'", ""))
    for start in range(len(words) - RUN + 1):
        yield " ".join(words[start : start + RUN])


def is_the_articles(run: str) -> bool:
    return hashlib.sha256(run.encode()).hexdigest()[:12] in ARTICLE


def syllables(word: str) -> int:
    """Count groups of vowels, except a silent ending."""
    word = word.lower()
    found = len(re.findall(r"[aeiouy]+", word))
    if re.search(r"([^l]e|[^aeiouytd]ed|[^aeiouysxzhcg]es)$", word):
        found -= 1
    return max(found, 1)


def grade(text: str) -> float:
    """Compute the Flesch-Kincaid grade; a colon or semicolon ends a sentence."""
    sentences = [
        part for part in re.split(r"[.!?:;]+(?=\s|$)", text) if re.search("[A-Za-z]", part)
    ]
    words = re.findall(r"[A-Za-z][A-Za-z'’]*", text)
    return (
        0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
    )


def acting(file: str) -> list[tuple[str, Json]]:
    wanted = r"/(steps|stop_criteria)/\d+/text$" if file in ACTING else r"^/\d+/(text|what_to_do)$"
    return [(place, text) for place, text in seed(file) if re.search(wanted, place)]


@pytest.mark.parametrize("file", FILES)
def test_no_eight_consecutive_words_are_from_the_article(file: str) -> None:
    repeated = [
        (place, run)
        for place, text in seed(file)
        for run in runs(text["en"])
        if is_the_articles(run)
    ]
    assert repeated == []


def test_a_sentence_of_the_article_would_be_recognised() -> None:
    assert is_the_articles("sit in a chair with your feet flat")
    assert not is_the_articles("sit on a chair and rest both feet")


@pytest.mark.parametrize("file", [*ACTING, *WARNING])
def test_texts_that_people_act_on_are_plain(file: str) -> None:
    limit = {**ACTING, **WARNING}[file]
    hard = [
        (place, round(grade(text["en"]), 1), text["en"])
        for place, text in acting(file)
        if grade(text["en"]) > limit
    ]
    assert acting(file)
    assert hard == []


def test_the_grade_is_the_published_formula() -> None:
    # 10 words, 1 sentence, 12 syllables.
    assert grade("You feel dizzy or sick, so stop and rest now.") == pytest.approx(
        0.39 * 10 + 11.8 * 11 / 10 - 15.59
    )
    assert [syllables(word) for word in ("stop", "people", "moved", "rested", "toes", "able")] == [
        *(1, 2, 1, 2, 1, 2)
    ]


def glossary() -> list[tuple[str, str, list[str]]]:
    """Read the translators' glossary: English, Spanish, and words to avoid."""
    section = DOCUMENT.read_text("utf-8").split("## Glossary for translators")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [(row[0], row[1], row[2].split(", ")) for row in rows[1:]]


def test_each_term_of_the_glossary_is_in_use() -> None:
    spanish = " ".join(text["es"].lower() for file in FILES for _, text in seed(file))
    assert len(glossary()) >= 10
    assert [term for _, term, _ in glossary() if term not in spanish] == []


@pytest.mark.parametrize("file", FILES)
def test_spanish_has_one_word_for_one_thing(file: str) -> None:
    avoided = [word for _, _, words in glossary() for word in words]
    found = [
        (place, word)
        for place, text in seed(file)
        for word in avoided
        if re.search(rf"\b{re.escape(word)}\b", text["es"], re.IGNORECASE)
    ]
    assert found == []


@pytest.mark.parametrize("file", FILES)
def test_spanish_numbers_have_a_decimal_comma(file: str) -> None:
    points = [
        (place, text["es"]) for place, text in seed(file) if re.search(r"\d\.\d\d?\b", text["es"])
    ]
    assert points == []
