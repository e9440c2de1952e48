"""Writes the golden cases that the evaluators under clients/ are tested on.

`python -m tests.triage.golden` rewrites them after a change of rules or texts; the diff then shows
what changed in the decisions, one case per line.
"""

from pathlib import Path

from api.content.loading import load_catalogue
from api.content.rule_set import reviewed_document
from api.core.canonical import canonical
from api.core.config import SEED_FOLDER
from api.triage.rules import compile_rule_set
from api.triage.vectors import vectors

FOLDER = Path(__file__).parents[2] / "clients" / "js-triage" / "test" / "golden"


def golden_files() -> dict[str, bytes]:
    """Return the files for the rule set of the seed folder, by name."""
    document = reviewed_document(load_catalogue(SEED_FOLDER))
    cases = vectors(compile_rule_set(document))
    parts = [
        canonical(name)
        + b":"
        + (
            b"[\n" + b",\n".join(map(canonical, value)) + b"\n]"
            if isinstance(value, list)
            else canonical(value)
        )
        for name, value in sorted(cases.items())
    ]
    return {
        "rule-set.json": canonical(document) + b"\n",
        "vectors.json": b"{" + b",\n".join(parts) + b"}\n",
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in golden_files().items():
        (FOLDER / name).write_bytes(data)
