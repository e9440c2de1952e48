"""Real server processes, one on each database, with lines that can fail."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import databases
from tests.support.bad_network import BadNetwork
from tests.support.offline import OfflineDevice
from tests.support.server import Server, running_server

# However slow the machine: this is about what is stored, not about how soon.
SETTINGS = {
    "database_timeout_seconds": "60",
    "rate_limit_enrolment": "10000/minute",
    "rate_limit_participant": "10000/minute",
}


@pytest.fixture(scope="package", params=databases.KINDS)
def database_url(
    request: pytest.FixtureRequest, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("faults")
    with databases.fresh_database(request.param, templates, folder) as url:
        yield url


@pytest.fixture(scope="package")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running_server(database_url, folder, **SETTINGS) as server:
        yield server


@pytest.fixture
def network(server: Server) -> Iterator[BadNetwork]:
    network = BadNetwork(server.url)
    yield network
    network.listener.close()


@pytest.fixture
def client(network: BadNetwork) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=network.url, limits=limits, timeout=60) as client:
        yield client


@pytest.fixture
def devices(client: httpx.Client) -> tuple[OfflineDevice, OfflineDevice]:
    """Two devices of one participant."""
    first, second = OfflineDevice(client), OfflineDevice(client)
    second.link(first.enrol()["recovery_code"])
    return first, second
