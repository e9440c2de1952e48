"""Reading the seed folder: every fault is listed with its file and place."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.content.loading import SeedFault, SeedInvalid, load_valid
from api.core.config import SEED_FOLDER
from tests.content.seed_folder import SeedFolder, parent_of
from tests.support.databases import EVERY_CHECK

SeedEdit = Callable[[SeedFolder], None]


def test_the_projects_seed_folder_has_no_faults_and_no_overdue_reviews() -> None:
    _, overdue = load_valid(SEED_FOLDER, EVERY_CHECK)
    assert overdue == []


def test_the_entries_of_a_valid_folder_are_counted_by_file(seed_folder: SeedFolder) -> None:
    code, lines = seed_folder.check()
    assert code == 0
    assert "3 in exercises.json, 3 in massages.json, 3 in tips.json, 3 in benefits.json" in lines[0]
    assert lines[1:] == ["No faults."]


def put(file: str, pointer: str, value: Any) -> SeedEdit:
    return lambda folder: folder.put(file, pointer, value)


def drop(file: str, pointer: str) -> SeedEdit:
    return lambda folder: folder.drop(file, pointer)


def replace(file: str, old: str, new: str) -> SeedEdit:
    return lambda folder: folder.replace(file, old, new)


def remove(file: str) -> SeedEdit:
    return lambda folder: folder.remove(file)


MISSHAPEN: dict[str, tuple[SeedEdit, str]] = {
    "a file that is not JSON": (
        replace("tips.json", "[", "[{,"),
        (
            "tips.json#: not JSON: Expecting property name enclosed in double quotes "
            "(line 1, column 3)"
        ),
    ),
    "NaN, which JSON does not have": (
        replace("exercises.json", '"min": 120', '"min": NaN'),
        "exercises.json#: NaN is not JSON",
    ),
    "a key that stands twice": (
        replace("tips.json", '"id": "be-consistent",', '"id": "a",\n"id": "b",'),
        'tips.json#: the key "id" occurs twice in one object',
    ),
    "a file that is not UTF-8": (
        lambda folder: folder.write_bytes("tips.json", b'["\xff"]'),
        "tips.json#: the file is not UTF-8",
    ),
    "a missing file": (remove("tips.json"), "tips.json#: the file is missing"),
    "a missing head of the rule set": (
        remove("triage/rule-set.json"),
        "triage/rule-set.json#: the file is missing",
    ),
    "a missing drawing": (
        remove("media/foot-map.svg"),
        "media.json#/11/file: the file media/foot-map.svg is missing or not UTF-8",
    ),
    "an object where a list belongs": (
        lambda folder: folder.write("tips.json", {}),
        "tips.json#: Input should be a valid array",
    ),
    "an unknown key": (
        put("tips.json", "/0/colour", "red"),
        "tips.json#/0/colour: is not a known key",
    ),
    "a missing key": (drop("tips.json", "/0/why"), "tips.json#/0/why: is missing"),
    "a number written as a text": (
        put("exercises.json", "/0/dosage/seconds_per_side/min", "120"),
        "exercises.json#/0/dosage/seconds_per_side/min: Input should be a valid integer",
    ),
    "true where a number belongs": (
        put("exercises.json", "/0/dosage/seconds_per_side/min", True),  # noqa: FBT003
        "exercises.json#/0/dosage/seconds_per_side/min: Input should be a valid integer",
    ),
    "half a second": (
        put("exercises.json", "/0/dosage/seconds_per_side/min", 1.5),
        "exercises.json#/0/dosage/seconds_per_side/min: Input should be a valid integer",
    ),
    "an id that is no slug": (
        put("exercises.json", "/0/id", "Toe Curls"),
        "exercises.json#/0/id: String should match pattern '^[a-z][a-z0-9]*(-[a-z0-9]+)*$'",
    ),
    "a word that the vocabulary does not have": (
        put("exercises.json", "/0/position", "upside_down"),
        "exercises.json#/0/position: Input should be 'seated' or 'standing'",
    ),
    "an activity without a step": (
        put("exercises.json", "/0/steps", []),
        "exercises.json#/0/steps: List should have at least 1 item after validation, not 0",
    ),
    "a link that is not https": (
        put("sources.json", "/0/url", "http://example.org"),
        "sources.json#/0/url: String should match pattern '^https://\\S+$'",
    ),
    "a drawing outside its folder": (
        put("media.json", "/0/file", "media/../../secret.svg"),
        "media.json#/0/file: String should match pattern '^media/[a-z0-9-]+\\.svg$'",
    ),
    "a number that not every language can hold": (
        put("triage/facts.json", "/0/value", 2**53),
        "triage/facts.json#/0/value: 9007199254740992 exceeds safe integer domain for JSON floats",
    ),
}


@pytest.mark.parametrize(("edit", "fault"), MISSHAPEN.values(), ids=MISSHAPEN.keys())
def test_the_faults_of_a_malformed_file_are_explained(
    seed_folder: SeedFolder, edit: SeedEdit, fault: str
) -> None:
    edit(seed_folder)
    assert seed_folder.check() == (1, [fault, "1 faults."])


def test_the_faults_of_every_file_are_listed_at_once(seed_folder: SeedFolder) -> None:
    seed_folder.remove("tips.json")
    seed_folder.drop("exercises.json", "/0/why")
    seed_folder.put("exercises.json", "/2/colour", "red")
    seed_folder.drop("triage/rule-set.json", "/version")
    assert seed_folder.check() == (
        1,
        [
            "exercises.json#/0/why: is missing",
            "exercises.json#/2/colour: is not a known key",
            "tips.json#: the file is missing",
            "triage/rule-set.json#/version: is missing",
            "4 faults.",
        ],
    )


def places(value: Any, path: str = "") -> Iterator[str]:
    """Return the path of every value of a document; of a list, only the first entry."""
    children: dict[Any, Any] = {}
    if isinstance(value, dict):
        children = value
    elif isinstance(value, list):
        children = dict(enumerate(value[:1]))
    for key, inner in children.items():
        yield f"{path}/{key}"
        yield from places(inner, f"{path}/{key}")


PLACES = [
    (str(file.relative_to(SEED_FOLDER)), pointer)
    for file in sorted(SEED_FOLDER.rglob("*.json"))
    for pointer in places(json.loads(file.read_text("utf-8")))
]
STRANGE: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2**60, 1.5, "", "nope", "{", "a.b", [], {}, [1], {"var": []}, {"en": ""}]
)


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SeedFolder(tmp_path_factory.mktemp("spoiled") / "seed").path


def faults_of(folder: Path) -> list[SeedFault]:
    try:
        return load_valid(folder, EVERY_CHECK)[1]
    except SeedInvalid as invalid:
        return invalid.faults


@settings(max_examples=60)
@given(place=st.sampled_from(PLACES), value=STRANGE)
def test_the_check_survives_any_value_at_any_place(
    spoiled: Path, place: tuple[str, str], value: Any
) -> None:
    file, pointer = place
    before = (spoiled / file).read_text("utf-8")
    document = json.loads(before)
    parent, key = parent_of(document, pointer)
    parent[key] = value
    (spoiled / file).write_text(json.dumps(document), "utf-8")
    try:
        faults = faults_of(spoiled)
    finally:
        (spoiled / file).write_text(before, "utf-8")
    assert all((spoiled / fault.file).is_file() and fault.message for fault in faults)
