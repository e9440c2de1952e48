"""The seeded rule set, compiled once for all tests that need no HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.content.loading import load_catalogue
from api.content.rule_set import reviewed_document
from api.core.config import SEED_FOLDER, Settings
from api.main import create_app
from api.triage.rules import RuleSet, compile_rule_set
from tests.support import databases
from tests.support.clock import FakeClock


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(SEED_FOLDER)


@pytest.fixture(scope="session")
def rule_set(catalogue: Catalogue) -> RuleSet:
    return compile_rule_set(reviewed_document(catalogue))


@pytest.fixture(scope="module")
def content_client(
    templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """An app without the rate limit of evaluations, which a module's tests would exceed."""
    folder = tmp_path_factory.mktemp("triage")
    with databases.fresh_database("sqlite", templates, folder) as url:
        app = create_app(Settings(database_url=url, rate_limit_public="9999/minute"), FakeClock())
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client
