"""The seeded rule set, compiled once for all tests that need no HTTP."""

import pytest

from api.content.catalogue import Catalogue
from api.content.loading import load_catalogue
from api.content.rule_set import reviewed_document
from api.core.config import SEED_FOLDER
from api.triage.rules import RuleSet, compile_rule_set


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(SEED_FOLDER)


@pytest.fixture(scope="session")
def rule_set(catalogue: Catalogue) -> RuleSet:
    return compile_rule_set(reviewed_document(catalogue))
