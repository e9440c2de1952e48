"""Turns: of those who do the same on one database, one works and the others wait or say so."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
import typer

from api.commands.console import LATER, run
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import Busy
from api.core.locks import Patience, job_lock

# On SQLite a single attempt waits this long for the writer.
SHORTLY = {"database_timeout_seconds": 0.2}
Work = Callable[[Database, Database], Awaitable[None]]


def with_two(url: str, work: Work) -> None:
    """Run with two databases as two processes have them."""

    async def both() -> None:
        settings = Settings(database_url=url, **SHORTLY)  # type: ignore[arg-type]
        first, second = Database(settings, patient=True), Database(settings, patient=True)
        try:
            await work(first, second)
        finally:
            await first.close()
            await second.close()

    asyncio.run(both())


def test_the_second_process_waits_for_the_first_and_logs_it_once(database_url: str) -> None:
    async def work(first: Database, second: Database) -> None:
        order: list[str] = []
        said = asyncio.Event()
        lines: list[str] = []

        def say(line: str) -> None:
            lines.append(line)
            said.set()

        async def follow() -> None:
            async with job_lock(second, "seed", say, Patience(30, 0.01)):
                order.append("second")

        async with job_lock(first, "seed"):
            following = asyncio.create_task(follow())
            await asyncio.wait_for(said.wait(), 20)
            # Time for more attempts, and more lines if there were any.
            await asyncio.wait({following}, timeout=0.3)
            order.append("first")
        await asyncio.wait_for(following, 20)
        assert order == ["first", "second"]
        (line,) = lines
        assert line.endswith("; waiting.")

    with_two(database_url, work)


def test_a_process_that_waits_for_too_long_stops_with_a_message(database_url: str) -> None:
    async def work(first: Database, second: Database) -> None:
        async with job_lock(first, "purge"):
            with pytest.raises(Busy, match=r"given up after 0 seconds\. Run it again\."):
                async with job_lock(second, "purge", patience=Patience(0, 0.01)):
                    pytest.fail("two at once")

    with_two(database_url, work)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_different_work_goes_on_side_by_side(database_url: str) -> None:
    async def work(first: Database, second: Database) -> None:
        async with job_lock(first, "purge"), job_lock(second, "publish", patience=Patience(0, 0)):
            pass

    with_two(database_url, work)


def test_an_error_within_a_turn_ends_it(database_url: str) -> None:
    async def work(first: Database, second: Database) -> None:
        with contextlib.suppress(ZeroDivisionError):
            async with job_lock(first, "purge"):
                raise ZeroDivisionError
        async with job_lock(second, "purge", patience=Patience(0, 0)):
            pass

    with_two(database_url, work)


@pytest.mark.parametrize("error", [Busy("Another is at work."), ConnectionResetError()])
def test_what_may_work_later_has_an_exit_code_of_its_own_and_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        run(work())
    assert ended.value.exit_code == LATER == 75
    assert capsys.readouterr().err.count("\n") == 1
