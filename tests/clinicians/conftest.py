"""What the tests of clinicians share."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock
from tests.support.issuer import Issuer, running_issuer
from tests.support.server import footing as run_footing

Footing = Callable[..., subprocess.CompletedProcess[str]]


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
def footing(database_url: str, tmp_path: Path) -> Footing:
    """Run the command as an operator would, on the test's database."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return run_footing(*arguments, database_url=database_url, folder=tmp_path, **settings)

    return run
