"""A real server process for a story, on a database of the story's own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import running_server


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    with (
        running_server(database_url, tmp_path) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client
