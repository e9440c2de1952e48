"""HTTP mechanics ask the database nothing that SQLite and PostgreSQL answer differently."""

import pytest

from tests.support.shared_databases import SharedDatabases


@pytest.fixture
def database_url(request: pytest.FixtureRequest, shared_databases: SharedDatabases) -> str:
    """A SQLite database, unless a test asks for the other kind."""
    return shared_databases.restored(getattr(request, "param", "sqlite")).url
