"""Fixtures of the content tests."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.content.catalogue import Catalogue
from api.content.loading import load_valid
from api.core.config import SEED_FOLDER
from tests.content.seed_folder import SeedFolder
from tests.support.databases import EVERY_CHECK


@pytest.fixture
def seed_folder(tmp_path: Path) -> SeedFolder:
    """A copy of the seed folder that the test may change."""
    folder = SeedFolder(tmp_path / "seed")
    folder.review_all()
    return folder


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The validated state of the seed folder."""
    valid, _ = load_valid(SEED_FOLDER, EVERY_CHECK)
    return valid


@pytest.fixture(scope="session")
def small(catalogue: Catalogue) -> Catalogue:
    """A small state with little to compress, so that many releases can be made."""
    return replace(
        catalogue,
        languages=catalogue.languages[:1],
        sources=catalogue.sources[:2],
        massages=catalogue.massages[:1],
        tips=catalogue.tips[:2],
        warnings=catalogue.warnings[:4],
        routines=catalogue.routines[1:2],
        questions=catalogue.questions[:2],
        screens=(),
        facts=(),
        rules=catalogue.rules[:2],
        session_facts=(),
        session_rules=(),
        countries=(),
    )
