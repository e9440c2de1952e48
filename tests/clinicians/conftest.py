"""What the tests of clinicians share."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from api.cli import app
from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock
from tests.support.issuer import Issuer, running_issuer

Footing = Callable[..., Result]


@pytest.fixture
def clinician(client: TestClient, database_url: str, clock: FakeClock) -> Clinician:
    """A clinician with a key."""
    return Clinician(client, give_key(database_url, clock))


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[Issuer]:
    """An OpenID Connect issuer on this machine."""
    with running_issuer(clock) as issuer:
        yield issuer


@pytest.fixture
def footing(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Footing:
    """Run the command as an operator would, on the test's database."""

    def run(*arguments: str, **settings: str) -> Result:
        for name, value in settings.items():
            monkeypatch.setenv(f"FOOTING_{name.upper()}", value)
        monkeypatch.setenv("FOOTING_DATABASE_URL", database_url)
        return CliRunner().invoke(app, list(arguments))

    return run
