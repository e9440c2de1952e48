"""Two operators, or two timers, start the same command at the same moment."""

import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer

from api.commands import migrate, publish, purge, seed
from api.participants.models import Participant
from api.publications.log import PublicationLog
from api.publications.models import Publication
from api.publications.restoring import installation_id
from tests.core.stored import execute, in_database, rows
from tests.publications.population import MONDAY, Person, install
from tests.support import databases
from tests.support.budget import budget
from tests.support.server import FOOTING, environment
from tests.support.waiting import PATIENCE_SECONDS

OPERATORS = 2
UNUSED = 20
Command = Callable[[], None]
COMMANDS: dict[str, Command] = {
    "migrate": migrate.migrate,
    "seed": lambda: seed.seed(None, None),
    "publish": lambda: publish.publish(None),
    "purge": lambda: purge.purge(dry_run=False),
}


@pytest.fixture(params=databases.KINDS)
def url(request: pytest.FixtureRequest, templates: Path, tmp_path: Path) -> Iterator[str]:
    """A database in which there is something to do for each command but the first."""
    with databases.fresh_database(request.param, templates, tmp_path) as url:
        in_database(url, install)
        log = PublicationLog(tmp_path / "publications.log")
        log.begin(in_database(url, installation_id), MONDAY)
        for _ in range(UNUSED):
            in_database(url, Person().store)
        execute(url, "UPDATE participant SET used = false")
        yield url


@pytest.fixture
def operate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, str], tuple[list[int], str, str]]:
    """Run a command several times at the same moment; return exit codes and what was printed."""

    def run(name: str, url: str) -> tuple[list[int], str, str]:
        monkeypatch.setenv("FOOTING_DATABASE_URL", url)
        monkeypatch.setenv("FOOTING_PUBLICATION_LOG", str(tmp_path / "publications.log"))
        start = threading.Barrier(OPERATORS, timeout=PATIENCE_SECONDS)

        def one(_: int) -> int:
            start.wait()
            try:
                COMMANDS[name]()
            except typer.Exit as ended:
                return int(ended.exit_code)
            return 0

        with ThreadPoolExecutor(OPERATORS) as threads:
            codes = list(threads.map(one, range(OPERATORS)))
        return codes, *capsys.readouterr()

    return run


Operate = Callable[[str, str], tuple[list[int], str, str]]


@pytest.mark.parametrize("kind", databases.KINDS)
def test_migrating_at_the_same_moment_works_for_all(
    kind: str, operate: Operate, tmp_path: Path
) -> None:
    for _ in range(budget(quick=1, full=30)):
        with databases.empty_database(kind, tmp_path) as empty:
            codes, said, error = operate("migrate", empty)
            assert codes == [0] * OPERATORS, error
            assert said.count("The database is at the newest migration.\n") == OPERATORS


# Preparing all answers takes seconds each time.
@pytest.mark.parametrize(
    "url", ["postgresql", pytest.param("sqlite", marks=pytest.mark.full_only)], indirect=True
)
def test_seeding_at_the_same_moment_activates_once(url: str, operate: Operate) -> None:
    execute(url, "DELETE FROM active_release")
    codes, said, error = operate("seed", url)
    assert codes == [0] * OPERATORS, error
    assert Counter(line.split(" release")[0] for line in said.splitlines()) == {
        "Activated": 1,
        "Already active:": OPERATORS - 1,
    }


def test_purging_at_the_same_moment_erases_once(url: str, operate: Operate) -> None:
    execute(url, "UPDATE participant SET enrolled_at = '2026-01-01 00:00:00'")
    codes, said, error = operate("purge", url)
    assert codes == [0] * OPERATORS, error
    erased = [int(count) for count in re.findall(r"Erased (\d+) enrolments", said)]
    assert (len(erased), sum(erased)) == (OPERATORS, UNUSED)
    assert not rows(url, Participant)


def test_publishing_at_the_same_moment_closes_each_period_once(url: str, operate: Operate) -> None:
    codes, said, error = operate("publish", url)
    assert codes == [0] * OPERATORS, error
    closed = re.findall(r"Closed \w+ \S+ to", said)
    assert len(closed) == len(set(closed)) == len(rows(url, Publication)) > 5


@pytest.mark.chaos
@pytest.mark.full_only
@pytest.mark.parametrize("name", COMMANDS)
def test_two_processes_at_the_same_moment_end_without_a_traceback(
    url: str, name: str, tmp_path: Path
) -> None:
    settings = {"publication_log": str(tmp_path / "publications.log")}
    for _ in range(3):
        processes = [
            subprocess.Popen(
                [FOOTING, name],
                env=environment(url, **settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(OPERATORS)
        ]
        for process in processes:
            said, error = process.communicate(timeout=300)
            assert process.returncode in {0, 75}, error
            assert "Traceback" not in said + error
