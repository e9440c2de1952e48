"""HTTP mechanics ask the database nothing that SQLite and PostgreSQL answer differently."""

import pytest

from tests.support.bench import Benches


@pytest.fixture
def database_url(request: pytest.FixtureRequest, benches: Benches) -> str:
    """A SQLite database, unless a test asks for the other kind."""
    return benches.restored(getattr(request, "param", "sqlite")).url
