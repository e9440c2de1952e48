"""The rule set as one document, identified by the hash of its canonical bytes."""

from collections.abc import Callable
from typing import Any

from api.content.catalogue import Catalogue
from api.core.canonical import canonical, content_hash

# Signs bytes.
Signer = Callable[[bytes], dict[str, str]]

# The meaning of facts, conditions and decisions; docs/triage-spec.md describes it. A device that
# does not know this engine must not use the rule set.
ENGINE = "footing-triage/2"
# Engines of stored decisions: only for replay.
REPLAYED_ENGINES = frozenset({"footing-triage/1"})
# Keys of the document that the hash does not cover.
UNHASHED = frozenset({"hash", "review", "signature", "withdrawn"})


def rule_set_document(catalogue: Catalogue) -> dict[str, Any]:
    """Return everything that decisions depend on, without the review."""
    head = catalogue.head.model_dump(mode="json", exclude={"review"})
    return {
        **head,
        "engine": ENGINE,
        "languages": list(catalogue.language_codes),
        "questions": [entry.model_dump(mode="json") for entry in catalogue.questions],
        "screens": [entry.model_dump(mode="json") for entry in catalogue.screens],
        "facts": [entry.model_dump(mode="json") for entry in catalogue.facts],
        "rules": [entry.model_dump(mode="json") for entry in catalogue.rules],
        "session_facts": [entry.model_dump(mode="json") for entry in catalogue.session_facts],
        "session_rules": [entry.model_dump(mode="json") for entry in catalogue.session_rules],
        "countries": [entry.model_dump(mode="json") for entry in catalogue.countries],
        "levels": [entry.model_dump(mode="json") for entry in catalogue.levels],
        "actions": [entry.model_dump(mode="json") for entry in catalogue.actions],
    }


def rule_set_hash(document: dict[str, Any]) -> str:
    """Return the hash of a rule set."""
    return content_hash({key: value for key, value in document.items() if key not in UNHASHED})


def reviewed_document(catalogue: Catalogue, sign: Signer | None = None) -> dict[str, Any]:
    """Return the document with its hash, review and signature, as it is served."""
    document = rule_set_document(catalogue)
    return {
        "hash": rule_set_hash(document),
        "review": catalogue.head.review.model_dump(mode="json", exclude={"due_at"}),
        "signature": None if sign is None else sign(canonical(document)),
        "withdrawn": [],
        **document,
    }
