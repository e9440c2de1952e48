"""Publishing: each period once and permanently, despite crashes, repeats and erasures."""

import asyncio
import datetime
import re
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.participants.models import Participant
from api.privacy.restoring import erase_again
from api.publications.cell_keys import CellKeys
from api.publications.log import PublicationLog, hash_of
from api.publications.measures import STATISTICS
from api.publications.models import Publication, PublicationCell
from api.publications.noise import Noise, OpenDpNoise
from api.publications.policy import PublicationPolicy
from api.publications.publishing import Publisher
from api.publications.restoring import RestoredFromLog, installation_id, restore_from_log
from tests.core.stored import execute, in_database, rows
from tests.publications.population import KEYS, MONDAY, PILOT, STANDARD, Person, at, install
from tests.support.budget import budget
from tests.support.clock import FakeClock
from tests.support.postgres import execute as execute_on_postgres
from tests.support.server import Forked, environment, footing
from tests.support.waiting import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
WEEK = datetime.timedelta(days=7)
# When the first cycle of an installation on MONDAY is closed, and four weeks with it.
CYCLE_CLOSES = MONDAY + 6 * WEEK


class NoNoise:
    """Lets the exact numbers through, so that a test sees what was measured."""

    def draw(self, exact: Sequence[int], scale: int) -> list[int]:
        assert scale > 0
        return list(exact)


def publisher(
    database: Database,
    folder: Path,
    today: datetime.date = CYCLE_CLOSES,
    *,
    noise: Noise | None = None,
    policy: PublicationPolicy = STANDARD,
    keys: CellKeys = KEYS,
) -> Publisher:
    clock = FakeClock()
    clock.instant = at(today)
    log = PublicationLog(folder / "publications.log")
    return Publisher(database, policy, keys, noise or OpenDpNoise(), log, clock)


def publish(url: str, folder: Path, today: datetime.date = CYCLE_CLOSES, **how: Any) -> list[str]:
    """Close what is due; return the names of what was closed here."""

    async def run() -> list[str]:
        database = Database(Settings(database_url=url))
        try:
            one = publisher(database, folder, today, **how)
            return [period.id async for period, here in one.close(await one.due()) if here]
        finally:
            await database.close()

    return asyncio.run(run())


def settle(url: str, *people: Person) -> None:
    async def work(db: AsyncSession) -> None:
        await install(db)
        for person in people:
            await person.store(db)

    in_database(url, work)


def practising(**changes: Any) -> Person:
    person = Person(**changes)
    for day in range(28):
        person.session(MONDAY + datetime.timedelta(days=day))
    return person


def everything(url: str) -> list[str]:
    return sorted(str(row) for table in (Publication, PublicationCell) for row in rows(url, table))


def expected_cells(policy: PublicationPolicy, keys: CellKeys, kind: str) -> int:
    return sum(
        len(keys.of(table.table, policy)) * len(STATISTICS[measure.measure])
        for table in policy.period(kind).tables
        for measure in table.measures
    )


@pytest.fixture
def url(database_url: str) -> str:
    settle(database_url, practising(), practising(region="south"))
    return database_url


# What is closed, and when.


def test_a_period_closes_two_weeks_after_its_end_and_not_a_day_before(
    url: str, tmp_path: Path
) -> None:
    day = datetime.timedelta(days=1)
    assert publish(url, tmp_path, MONDAY + 3 * WEEK - day) == []
    assert publish(url, tmp_path, MONDAY + 3 * WEEK) == ["week-2026-09-07"]
    assert publish(url, tmp_path, CYCLE_CLOSES) == [
        "cycle-2026-09-07",
        "week-2026-09-14",
        "week-2026-09-21",
        "week-2026-09-28",
    ]


def test_a_publication_holds_every_cell_and_says_what_it_costs(url: str, tmp_path: Path) -> None:
    publish(url, tmp_path)
    published = {row["id"]: row for row in rows(url, Publication)}
    week = published["week-2026-09-07"]
    policy = STANDARD.period("week")
    assert (week["rho"], week["epsilon"], week["delta"]) == (policy.rho, policy.epsilon, 1e-6)
    assert week["plan_hash"] == STANDARD.hash
    assert week["ends_on"] == datetime.date(2026, 9, 13)
    for name, row in published.items():
        mine = [cell for cell in rows(url, PublicationCell) if cell["publication_id"] == name]
        assert len(mine) == expected_cells(STANDARD, KEYS, row["kind"])


def test_what_is_stored_is_what_was_measured_with_noise_of_the_policy(
    url: str, tmp_path: Path
) -> None:
    publish(url, tmp_path, noise=NoNoise())
    cells = {
        (cell["publication_id"], cell["table_name"], cell["key"], cell["statistic"]): cell
        for cell in rows(url, PublicationCell)
    }
    people = cells["week-2026-09-07", "routine", "daily", "practised"]
    assert (people["noisy"], people["scale"]) == (2 * 7, 144)
    south = cells["cycle-2026-09-07", "region", "south", "practised"]
    assert (south["noisy"], south["scale"]) == (7, 151)


def test_no_exact_number_is_ever_stored(url: str, tmp_path: Path) -> None:
    publish(url, tmp_path)
    # 200 cells of people who are not there: with noise, hardly any is zero.
    noisy = [cell["noisy"] for cell in rows(url, PublicationCell)]
    assert len(noisy) > 60
    assert sum(value == 0 for value in noisy) < 5


# Once.


def test_publishing_again_changes_nothing_and_draws_nothing(url: str, tmp_path: Path) -> None:
    assert publish(url, tmp_path)
    before = everything(url)
    assert publish(url, tmp_path) == []
    assert everything(url) == before


def test_what_is_erased_uploaded_or_taken_back_after_the_close_changes_nothing(
    database_url: str, tmp_path: Path
) -> None:
    gone, back = practising(), practising()
    settle(database_url, gone, back)
    publish(database_url, tmp_path)
    before = everything(database_url)

    async def change(db: AsyncSession) -> None:
        await erase_again(db, gone.id)
        late = Person()
        late.session(MONDAY, received=at(CYCLE_CLOSES))
        await late.store(db)

    in_database(database_url, change)
    assert publish(database_url, tmp_path) == []
    assert everything(database_url) == before


def test_who_is_erased_before_the_close_is_in_nothing(database_url: str, tmp_path: Path) -> None:
    gone = practising()
    settle(database_url, gone)
    in_database(database_url, lambda db: erase_again(db, gone.id))
    publish(database_url, tmp_path, noise=NoNoise())
    assert {cell["noisy"] for cell in rows(database_url, PublicationCell)} == {0}


def test_of_publishers_at_the_same_moment_one_closes_each_period(url: str, tmp_path: Path) -> None:
    async def together() -> list[list[str]]:
        databases = [
            Database(Settings(database_url=url, database_timeout_seconds=30)) for _ in range(4)
        ]

        async def one(database: Database) -> list[str]:
            mine = publisher(database, tmp_path)
            due = await mine.due()
            assert len(due) == 5
            await barrier.wait()
            return [period.id async for period, here in mine.close(due) if here]

        barrier = asyncio.Barrier(4)
        try:
            return await asyncio.gather(*map(one, databases))
        finally:
            for database in databases:
                await database.close()

    closed = [name for names in asyncio.run(together()) for name in names]
    assert len(closed) == len(set(closed)) == 5
    assert len(rows(url, Publication)) == 5
    expected = 4 * expected_cells(STANDARD, KEYS, "week") + expected_cells(STANDARD, KEYS, "cycle")
    assert len(rows(url, PublicationCell)) == expected
    log = (tmp_path / "publications.log").read_text("utf-8").splitlines()
    assert len(log) == 5


@pytest.mark.chaos
def test_a_publisher_that_is_killed_leaves_whole_periods_and_the_next_one_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    settle(database_url, practising())
    # So many periods that the kill hits in the middle, however busy the machine is.
    long_ago = datetime.date.today() - datetime.timedelta(days=budget(quick=200, full=400))  # noqa: DTZ011  # a day
    in_database(database_url, lambda db: install(db, long_ago))
    log = str(tmp_path / "publications.log")
    installation = in_database(database_url, installation_id)
    PublicationLog(Path(log)).begin(installation, long_ago)
    env = environment(database_url, publication_log=log)
    process = Forked(["publish"], env, tmp_path, tmp_path / "output")
    third = select(col(Publication.id)).offset(2)
    wait_until(lambda: in_database(database_url, lambda db: db.scalar(third), reading=True))
    process.kill()
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    killed = {row["id"]: row["kind"] for row in rows(database_url, Publication)}
    before = set(everything(database_url))
    cells = Counter(cell["publication_id"] for cell in rows(database_url, PublicationCell))
    sizes = {(kind, cells[name]) for name, kind in killed.items()}
    assert 0 not in {size for _, size in sizes}
    assert len(sizes) == len(set(killed.values()))
    done = footing("publish", database_url=database_url, folder=tmp_path, publication_log=log)
    assert done.returncode == 0, done.stderr
    after = rows(database_url, Publication)
    assert len(after) > budget(quick=30, full=60) > len(killed)
    assert all(row["released"] for row in after)
    assert before <= set(everything(database_url))


# Never changed.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE publication_cell SET noisy = noisy + 1",
        "UPDATE publication SET rho = 0",
        "DELETE FROM publication_cell",
        "DELETE FROM publication",
    ],
)
def test_publications_cannot_be_changed(url: str, tmp_path: Path, statement: str) -> None:
    publish(url, tmp_path)
    before = everything(url)
    with pytest.raises(DBAPIError, match="what was published is never changed"):
        execute(url, statement)
    assert everything(url) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_replaces_nothing_either(url: str, tmp_path: Path) -> None:
    publish(url, tmp_path)
    before = everything(url)
    columns = "publication_id, table_name, key, statistic, noisy, scale"
    execute(
        url,
        f"INSERT OR REPLACE INTO publication_cell ({columns}) "
        "SELECT publication_id, table_name, key, statistic, 0, scale FROM publication_cell",
        "INSERT OR REPLACE INTO publication SELECT 'another' || id, kind, starts_on, ends_on, "
        "closed_at, profile, plan_hash, 0, 0, 0, released FROM publication",
    )
    assert everything(url) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_truncates_nothing_either(url: str, tmp_path: Path) -> None:
    publish(url, tmp_path)
    with pytest.raises(DBAPIError, match="what was published is never changed"):
        execute(url, "TRUNCATE publication_cell")


def documented_grants() -> str:
    """Return the roles as the operators' document makes them."""
    document = (ROOT / "docs" / "operators.md").read_text("utf-8")
    (block,) = re.findall(r"^```sql\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_documented_roles_read_cells_and_change_none(url: str, tmp_path: Path) -> None:
    publish(url, tmp_path)

    async def attempt(role: str, statement: str) -> str:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"SET ROLE {role}")
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            return "denied"
        finally:
            await connection.close()
        return "done"

    async def drop() -> None:
        for role in ("footing_server", "footing_reader"):
            with suppress(asyncpg.UndefinedObjectError):
                await execute_on_postgres(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    async def attempts() -> dict[tuple[str, str], str]:
        await drop()
        try:
            await execute_on_postgres(url, documented_grants())
            return {
                (role, statement): await attempt(role, statement)
                for role in ("footing_server", "footing_reader")
                for statement in (
                    "SELECT 1 FROM publication_cell",
                    "SELECT 1 FROM publication",
                    "SELECT 1 FROM exercise_session",
                    "SELECT 1 FROM participant",
                    "DELETE FROM exercise_session",
                    "UPDATE publication_cell SET noisy = 0",
                    "DELETE FROM publication_cell",
                    "TRUNCATE publication_cell",
                    "UPDATE publication SET rho = 0",
                    "INSERT INTO publication SELECT * FROM publication WHERE false",
                )
            }
        finally:
            await drop()

    found = asyncio.run(attempts())
    allowed = {pair for pair, outcome in found.items() if outcome == "done"}
    assert allowed == {
        ("footing_server", "SELECT 1 FROM publication_cell"),
        ("footing_server", "SELECT 1 FROM publication"),
        ("footing_server", "SELECT 1 FROM exercise_session"),
        ("footing_server", "SELECT 1 FROM participant"),
        ("footing_server", "DELETE FROM exercise_session"),
        ("footing_server", "INSERT INTO publication SELECT * FROM publication WHERE false"),
        ("footing_reader", "SELECT 1 FROM publication_cell"),
        ("footing_reader", "SELECT 1 FROM publication"),
    }


# After a restore.


def restore(url: str, log: Path, today: datetime.date = MONDAY) -> RestoredFromLog:
    """Bring database and log in line, as every start does; on the day of the installation."""

    async def run() -> RestoredFromLog:
        database = Database(Settings(database_url=url))
        try:
            grace = STANDARD.grace_days
            return await restore_from_log(database, PublicationLog(log), erase_again, today, grace)
        finally:
            await database.close()

    return asyncio.run(run())


def restored(url: str, log: Path) -> tuple[tuple[str, ...], int]:
    found = restore(url, log)
    return found.not_released, found.erased_again


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_period_that_a_backup_has_forgotten_is_not_drawn_again(url: str, tmp_path: Path) -> None:
    log = tmp_path / "publications.log"
    file = Path(url.removeprefix("sqlite:///"))
    publish(url, tmp_path, MONDAY + 3 * WEEK)
    shutil.copy(file, tmp_path / "backup")
    publish(url, tmp_path, MONDAY + 4 * WEEK)
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    shutil.copy(tmp_path / "backup", file)
    assert restored(url, log) == (("week-2026-09-14",), 0)
    assert publish(url, tmp_path, MONDAY + 4 * WEEK) == []
    released = {row["id"]: row["released"] for row in rows(url, Publication)}
    assert released == {"week-2026-09-07": True, "week-2026-09-14": False}
    assert {cell["publication_id"] for cell in rows(url, PublicationCell)} == {"week-2026-09-07"}
    assert restored(url, log) == ((), 0)


def test_who_was_erased_after_a_backup_is_erased_again(database_url: str, tmp_path: Path) -> None:
    gone, stays = practising(), practising()
    settle(database_url, gone, stays)
    log = tmp_path / "publications.log"
    asyncio.run(PublicationLog(log).erased(gone.id, MONDAY))
    assert str(gone.id) not in log.read_text("utf-8")
    assert hash_of(gone.id) in log.read_text("utf-8")
    assert restored(database_url, log) == ((), 1)
    assert [row["participant_id"] for row in rows(database_url, Participant)] == [stays.id]


def test_a_log_that_is_behind_the_database_is_brought_in_line(url: str, tmp_path: Path) -> None:
    """The state after a crash between the commit and the line."""
    log = tmp_path / "publications.log"
    assert restored(url, log) == ((), 0)
    before = log.read_text("utf-8")
    publish(url, tmp_path, MONDAY + 3 * WEEK)
    whole = log.read_text("utf-8")
    log.write_text(before, "utf-8")
    assert restored(url, log) == ((), 0)
    assert log.read_text("utf-8") == whole != before


def test_a_log_begins_with_an_installation_and_is_missed_when_it_is_older(
    url: str, tmp_path: Path
) -> None:
    """A lost log looks like a new one; by then, something may have been published."""
    log = tmp_path / "publications.log"
    grace = datetime.timedelta(days=STANDARD.grace_days)
    assert restore(url, log, MONDAY + grace).log_is_not_ours is None
    assert log.read_text("utf-8").count("\n") == 1
    late = MONDAY + grace + datetime.timedelta(days=1)
    assert restore(url, log, late).log_is_not_ours is None
    publish(url, tmp_path, MONDAY + 3 * WEEK)
    log.unlink()
    for _ in range(2):
        missed = restore(url, log, late).log_is_not_ours
        assert missed is not None
        assert missed.startswith(f"The publication log {log} has no entry for this installation")
        # What else is missing in it is not known: it is not made to look complete.
        assert not log.exists()


def test_erasures_alone_do_not_make_a_log_known(url: str, tmp_path: Path) -> None:
    log = tmp_path / "publications.log"
    asyncio.run(PublicationLog(log).erased(Person().id, MONDAY))
    assert restore(url, log, CYCLE_CLOSES).log_is_not_ours is not None
    assert log.read_text("utf-8").count("\n") == 1


def test_a_log_of_another_installation_says_nothing_about_this_one(
    url: str, tmp_path: Path
) -> None:
    publish(url, tmp_path, MONDAY + 3 * WEEK)
    log = tmp_path / "publications.log"
    text_of_log = log.read_text("utf-8")
    other = re.sub(r'"installation": "[^"]+"', f'"installation": "{Person().id}"', text_of_log)
    log.write_text(other.replace("2026-09-07", "2026-08-31"), "utf-8")
    assert restored(url, log) == ((), 0)
    assert len(rows(url, Publication)) == 1


def test_a_damaged_log_stops_everything_and_names_the_line(url: str, tmp_path: Path) -> None:
    log = tmp_path / "publications.log"
    publish(url, tmp_path, MONDAY + 3 * WEEK)
    with log.open("a", encoding="utf-8") as file:
        file.write('{"closed": "week-2026\n')
    with pytest.raises(NotReady, match="Line 2 of the publication log"):
        restored(url, log)


def test_a_closed_period_is_recorded_with_the_instant_at_which_it_was_due(
    url: str, tmp_path: Path
) -> None:
    """When computing ended would tell how much there was to compute."""
    publish(url, tmp_path, CYCLE_CLOSES)
    closed = {row["id"]: row["closed_at"] for row in rows(url, Publication)}
    assert closed["week-2026-09-07"] == at(MONDAY + 3 * WEEK, 0)
    assert closed["cycle-2026-09-07"] == at(CYCLE_CLOSES, 0)


def test_a_change_of_profile_that_costs_too_much_waits(database_url: str, tmp_path: Path) -> None:
    """One policy is below the ceiling; two of them within a year need not be."""
    settle(database_url)
    year = MONDAY + 54 * WEEK
    publish(database_url, tmp_path, year)
    before = everything(database_url)
    with pytest.raises(NotReady, match=r"above the ceiling of 0\.5; nothing was published"):
        publish(database_url, tmp_path, year + 13 * WEEK, policy=PILOT)
    assert set(before) <= set(everything(database_url))
