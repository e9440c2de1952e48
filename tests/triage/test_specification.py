"""docs/triage-spec.md agrees with the code in every constant and every text."""

import json
from collections.abc import Iterable

import pytest

from api.content.rule_set import ENGINE, UNHASHED
from api.content.seed import Fact
from api.content.vocabulary import ACTIVITY_STATUSES
from api.journal.history import IMPORTANT_CHANGE, PAIN_RISEN, PERSISTENT, PERSISTENT_AFTER
from api.triage.evaluation import DECISION_NAMESPACE, MAX_WORDS, TODAY
from api.triage.reports import FIELDS
from api.triage.rules import FACT_NAME, OPERATORS, RuleSet
from api.triage.schemas import Decision
from tests.triage.golden import FOLDER

ROOT = FOLDER.parents[3]
SPECIFICATION = (ROOT / "docs" / "triage-spec.md").read_text("utf-8")
_, CONSTANTS = SPECIFICATION.split("## All constants")


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@pytest.mark.parametrize(
    "row",
    [
        f"| engine | `{ENGINE}` |",
        f"| members outside the hash | {quoted(sorted(UNHASHED))} |",
        f"| answers with fields of their own | {quoted(FIELDS)} |",
        f"| activity statuses | {quoted(ACTIVITY_STATUSES)} |",
        f"| timeframe that names the urgent service | `{TODAY}` |",
        f"| words, headline to reasons, of a single emergency | {MAX_WORDS} |",
        f"| persistent after more than | {PERSISTENT_AFTER.total_seconds():,.0f} seconds |",
        f"| important rise of pain | {IMPORTANT_CHANGE} |",
        f"| history facts, in order | {quoted((PERSISTENT, PAIN_RISEN))} |",
        f"| namespace of decision ids | `{DECISION_NAMESPACE}` |",
    ],
)
def test_a_constant_is_the_one_of_the_code(row: str) -> None:
    assert row in CONSTANTS


def test_the_operators_and_the_names_of_facts_are_those_of_the_code() -> None:
    (row,) = [line for line in CONSTANTS.splitlines() if line.startswith("| operators |")]
    assert {name.strip(" `") for name in row.split("|")[2].split(",")} == OPERATORS
    assert f"[a-z]{FACT_NAME.pattern.removeprefix('[a-z]')}" in SPECIFICATION


def test_every_kind_of_fact_and_every_member_of_a_decision_is_described() -> None:
    kinds = Fact.model_json_schema()["properties"]["kind"]["enum"]
    for name in (*kinds, *Decision.model_fields):
        rows = [line for line in SPECIFICATION.splitlines() if line.startswith("| ")]
        assert any(f"`{name}`" in row.split("|")[1] for row in rows), name


def test_the_levels_are_those_of_the_rule_set(rule_set: RuleSet) -> None:
    levels = sorted(rule_set.document["levels"], key=lambda level: level["rank"])
    assert f"| levels | {quoted(level['id'] for level in levels)} |" in CONSTANTS


def test_the_texts_of_the_cautious_outcome_are_those_of_the_reference_evaluator() -> None:
    words = json.loads((FOLDER.parents[1] / "src" / "cautious.json").read_text("utf-8"))
    parts = words.pop("safety_net")
    signs = [sign for part in parts for sign in part["signs"]]
    for texts in (*words.values(), *(part["title"] for part in parts), *signs):
        assert texts.keys() == {"en", "es"}
        for text in texts.values():
            assert f"| {text} |" in SPECIFICATION
