"""The seed folder that a command is about."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.console import fail
from api.content import checks as content_checks
from api.content.catalogue import Catalogue
from api.content.loading import SeedFault, SeedInvalid, load_valid
from api.core.clock import SystemClock
from api.triage import checks as triage_checks

SeedFolder = Annotated[
    Path | None,
    typer.Option("--folder", help="The seed folder; FOOTING_SEED_FOLDER by default."),
]


def validated(folder: Path) -> tuple[Catalogue, list[SeedFault]]:
    """Read and check the seed folder."""
    today = SystemClock().now().date()
    every = (*content_checks.ALL, content_checks.check_reviews(today), *triage_checks.ALL)
    return load_valid(folder, every)


def valid_or_fail(folder: Path, consequence: str = "") -> tuple[Catalogue, list[SeedFault]]:
    """Read and check the seed folder, or print every fault."""
    try:
        return validated(folder)
    except SeedInvalid as invalid:
        raise fail(f"{invalid}\n{len(invalid.faults)} faults{consequence}.") from None
