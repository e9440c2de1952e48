"""HTTP mechanics ask the database nothing that SQLite and PostgreSQL answer differently."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.conftest import plain_logs
from tests.support import databases

__all__ = ["plain_logs"]


@pytest.fixture
def database_url(request: pytest.FixtureRequest, templates: Path, tmp_path: Path) -> Iterator[str]:
    """A SQLite database, unless a test asks for the other kind."""
    kind = getattr(request, "param", "sqlite")
    with databases.fresh_database(kind, templates, tmp_path) as url:
        yield url
