"""Behind PgBouncer in transaction mode everything works as it does without."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from api.core import pooler
from api.core.config import Settings
from api.core.db import Database
from tests.conftest import AppMaker
from tests.core.stored import in_database
from tests.support import databases, pgbouncer
from tests.support.budget import budget
from tests.support.device import Device
from tests.support.server import footing as run

pytestmark = pytest.mark.skipif(
    pgbouncer.PROGRAM is None, reason="PgBouncer is not installed: apt-get install pgbouncer"
)
CLIENTS = 6


@pytest.fixture
def pooled_url(templates: Path, tmp_path: Path) -> Iterator[str]:
    """A migrated and seeded database of the test's own, through the pooler."""
    with (
        databases.fresh_database("postgresql", templates, tmp_path) as url,
        pgbouncer.pooled(url) as pooled,
    ):
        yield pooled


def footing(name: str, url: str, log: Path) -> str:
    """Run a command as an operator would; return what it printed."""
    done = run(name, database_url=url, folder=log.parent, publication_log=str(log))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_transactions_of_one_connection_really_run_on_several_of_the_database(
    pooled_url: str,
) -> None:
    """Else the other tests here would show nothing."""

    async def servers() -> set[int]:
        database = Database(Settings(database_url=pooled_url, database_pool_size=CLIENTS))
        seen: set[int] = set()

        async def one() -> None:
            for _ in range(10):
                async with database.read() as db:
                    seen.add((await db.execute(text("SELECT pg_backend_pid()"))).scalar_one())

        await asyncio.gather(*(one() for _ in range(CLIENTS)))
        await database.close()
        return seen

    assert len(asyncio.run(servers())) > 1


def test_migrating_twice_and_seeding_through_a_pooler(pooled_url: str, tmp_path: Path) -> None:
    with (
        databases.empty_database("postgresql", tmp_path) as url,
        pgbouncer.pooled(url) as empty,
    ):
        for _ in range(2):
            said = footing("migrate", empty, tmp_path / "log")
            assert said == "The database is at the newest migration.\n"
    assert footing("seed", pooled_url, tmp_path / "log").startswith("Already active")


def test_many_clients_at_once_are_served_through_a_pooler(
    pooled_url: str, make_client: AppMaker, tmp_path: Path
) -> None:
    # Two servers of several connections each, on fewer connections of the database.
    clients = [
        make_client(database_url=pooled_url, rate_limit_enrolment="1000/minute") for _ in range(2)
    ]
    start = threading.Barrier(CLIENTS)

    def live(number: int) -> set[int]:
        device = Device(clients[number % 2])
        start.wait()
        device.enrol()
        statuses = set()
        for _ in range(budget(quick=4, full=100)):
            statuses.add(device.post_session(device.session()).status_code)
            statuses.add(device.post_report(device.report({})).status_code)
            statuses.add(device.get("/v1/me/progress").status_code)
            statuses.add(device.get("/v1/me/export").status_code)
        return statuses

    with ThreadPoolExecutor(CLIENTS) as threads:
        found = set().union(*threads.map(live, range(CLIENTS)))
        assert found == {200, 201}
    assert footing("publish", pooled_url, tmp_path / "log") == "No period is due.\n"
    count = text("SELECT count(*) FROM exercise_session")
    stored = in_database(pooled_url, lambda db: db.scalar(count))
    assert stored == CLIENTS * budget(quick=4, full=100)


def test_a_connection_that_is_given_up_while_it_is_looked_at_is_closed(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(_: object) -> bool:
        raise asyncio.CancelledError

    async def connections(url: str) -> int:
        database = Database(Settings(database_url=url))
        async with database.read() as db:
            count = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            found: int = (await db.execute(count)).scalar_one()
        await database.close()
        return found

    async def left_over(url: str) -> int:
        database = Database(Settings(database_url=url))
        with monkeypatch.context() as patch:
            patch.setattr(pooler, "is_pooled", interrupted)
            with pytest.raises(asyncio.CancelledError):
                await database.reader.connect()
        for _ in range(500):
            if (count := await connections(url)) == 1:
                break
            await asyncio.sleep(0.01)
        return count - 1

    with databases.fresh_database("postgresql", templates, tmp_path) as url:
        assert asyncio.run(left_over(url)) == 0
