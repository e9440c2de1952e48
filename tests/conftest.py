"""Every test runs the real app over HTTP, on a real SQLite and on a real PostgreSQL."""

import contextlib
import functools
import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from filelock import FileLock
from hypothesis import settings
from starlette.testclient import TestClient

from api.content.release import ServedRelease
from api.core.config import Settings
from api.core.logging import ACCESS, describe_exception
from api.main import create_app
from tests.support import databases, postgres, time_travel
from tests.support.budget import FULL
from tests.support.clock import START, FakeClock
from tests.support.device import Device
from tests.support.shared_databases import PUBLICATION_LOG, SharedDatabases

AppMaker = Callable[..., TestClient]
lasting = contextlib.ExitStack()
MEMORY = Path("/dev/shm")  # noqa: S108  # where Linux keeps files in memory
MEMORY_BYTES = 2_000_000_000  # the whole run took 630 MB at most
# The same in every run where little is tried; where much is, each time something else.
# Without deadlines: how long an example takes depends on what else runs on the machine.
settings.register_profile("footing", derandomize=not FULL, deadline=None)
settings.load_profile("footing")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: now and then each of them waits for a server or a browser."""
    return len(os.sched_getaffinity(0)) + 1


def keep_files_in_memory() -> None:
    """Put temporary files where no disk has to be waited for, if the machine has such a place.

    Every commit of a SQLite database waits until the disk has it; no test cuts the power.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    if shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def pytest_configure(config: pytest.Config) -> None:
    """Start one PostgreSQL for the whole run, before the workers are."""
    if config.option.collectonly:
        return
    if time_travel.NOW in os.environ:
        time_travel.set_time()
    if not hasattr(config, "workerinput"):
        keep_files_in_memory()
        given = os.environ.get("TEST_DATABASE_URL")
        url = given or lasting.enter_context(postgres.running_cluster())
        os.environ[databases.POSTGRES_URL] = url
    # A developer's own settings must not reach the tests.
    for name in [name for name in os.environ if name.startswith("FOOTING_")]:
        if name != databases.POSTGRES_URL:
            del os.environ[name]
    folder = tempfile.TemporaryDirectory(prefix="footing-log-")
    os.environ[PUBLICATION_LOG] = str(Path(lasting.enter_context(folder), "log"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no quick form, and what `make lint` runs."""
    elsewhere = [] if FULL else ["full_only"]
    if config.option.markexpr != "lint":
        elsewhere.append("lint")
    left_out = [item for item in items if any(map(item.get_closest_marker, elsewhere))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Exclude what stays anyway from garbage collection: thousands of tests and all modules."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    lasting.close()


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> Iterator[None]:
    """Write exceptions as in production; structlog's own format takes seconds for each.

    A command that runs in this process would configure the logs of all later tests.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            describe_exception,
            structlog.processors.JSONRenderer(),
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **_: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Share one TLS context: httpx reads all certificates, 20 ms, for each client it makes."""
    with pytest.MonkeyPatch.context() as patch:
        make_once = functools.cache(httpx.create_ssl_context)
        patch.setattr("httpx._transports.default.create_ssl_context", make_once)
        yield


@pytest.fixture(autouse=True)
def own_log_handlers() -> Iterator[None]:
    """Take back the handlers of a command: they write to what was captured of one test."""
    root = logging.getLogger()
    handlers = [*root.handlers]
    yield
    root.handlers = handlers
    ACCESS.set_up(enabled=True, direct=False)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The seeded databases that every test gets a copy of; the first worker makes them."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    with FileLock(folder / "templates.lock"):
        if not (folder / "templates.done").exists():
            databases.make_templates(folder)
            (folder / "templates.done").touch()
    return folder


@pytest.fixture(scope="session")
def shared_databases(
    templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedDatabases]:
    """The databases and apps that this worker's tests take turns on."""
    with SharedDatabases(
        templates, tmp_path_factory.mktemp("shared_databases")
    ) as shared_databases:
        yield shared_databases


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, shared_databases: SharedDatabases) -> str:
    """A migrated and seeded database in which nothing has happened yet."""
    return shared_databases.restored(request.param).url


@pytest.fixture(params=databases.KINDS)
def own_database(request: pytest.FixtureRequest, templates: Path, tmp_path: Path) -> Iterator[str]:
    """A database that the test may break, or kill a server on."""
    with databases.fresh_database(request.param, templates, tmp_path) as url:
        yield url


@pytest.fixture(params=databases.KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a single table."""
    with databases.empty_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def clock(shared_databases: SharedDatabases) -> FakeClock:
    """The clock of every app that the test speaks to."""
    shared_databases.clock.instant = START
    return shared_databases.clock


@pytest.fixture
def make_client(shared_databases: SharedDatabases, clock: FakeClock) -> Iterator[AppMaker]:
    """Make clients of apps with settings of the test's own."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> TestClient:
            app = create_app(Settings(**settings), clock)
            # Releases never change: one that is still active need not be loaded again.
            served = app.state.context.part(ServedRelease)
            served.release = shared_databases.release
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            shared_databases.release = served.release
            return client

        yield make


@pytest.fixture
def client(database_url: str, shared_databases: SharedDatabases, clock: FakeClock) -> TestClient:
    """The app on that database, as it is without settings."""
    return shared_databases.client(database_url, clock)


@pytest.fixture(scope="module")
def content_client(
    templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """The app for tests that only read content, which comes from memory and not from a database."""
    folder = tmp_path_factory.mktemp("content")
    with databases.fresh_database("sqlite", templates, folder) as url:
        app = create_app(Settings(database_url=url), FakeClock())
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


@pytest.fixture
def device(client: TestClient) -> Device:
    """A device that has enrolled."""
    device = Device(client)
    device.enrol()
    return device
