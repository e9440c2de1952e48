"""Migrations: they go up and down on both databases, and end where the models are."""

import asyncio
import datetime
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, text
from sqlmodel.ext.asyncio.session import AsyncSession

from api import migrations
from api.core.config import Settings
from api.core.db import Database, metadata
from api.core.locks import Patience
from api.journal.models import ExerciseSession
from api.migrations import config, migrate, require_head
from api.participants.models import Participant
from tests.core.stored import everything, execute, in_database, rows
from tests.support.server import footing

Step = Callable[[Config], None]
ALEMBICS_OWN = "alembic_version"


def run(database_url: str, *steps: Step) -> set[str]:
    """Run some of alembic's commands, each in a transaction; return the tables there are then."""

    async def run_steps() -> set[str]:
        database = Database(Settings(database_url=database_url))
        for step in steps:

            def run_step(connection: Connection, step: Step = step) -> None:
                step(config(connection))

            async with database.writer.begin() as connection:
                await connection.run_sync(run_step)
        async with database.reader.connect() as connection:
            tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        await database.close()
        return tables

    return asyncio.run(run_steps())


def up(made: Config) -> None:
    command.upgrade(made, "head")


def down(made: Config) -> None:
    command.downgrade(made, "base")


def test_an_empty_database_gets_every_table(empty_database_url: str) -> None:
    assert run(empty_database_url, up) == {*metadata.tables, ALEMBICS_OWN}


def test_after_the_newest_migration_models_and_tables_do_not_differ(
    empty_database_url: str,
) -> None:
    # Raises where a model has what no migration makes, or the reverse.
    run(empty_database_url, up, command.check)


def test_migrations_go_down_to_nothing_and_up_again(empty_database_url: str) -> None:
    assert run(empty_database_url, up, down) == {ALEMBICS_OWN}
    assert run(empty_database_url, up, command.check) == {*metadata.tables, ALEMBICS_OWN}


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    before = everything(database_url)

    async def migrate_again() -> None:
        database = Database(Settings(database_url=database_url))
        await require_head(database)
        await migrate(database)
        await require_head(database)
        await database.close()

    asyncio.run(migrate_again())
    assert everything(database_url) == before
    assert before


def test_every_step_goes_down_and_up_by_itself(empty_database_url: str) -> None:
    revisions = [
        script.revision
        for script in reversed(list(ScriptDirectory.from_config(config()).walk_revisions()))
    ]
    assert revisions
    for revision in revisions:
        run(empty_database_url, lambda made, to=revision: command.upgrade(made, to))  # type: ignore[misc]
        run(empty_database_url, lambda made: command.downgrade(made, "-1"))
        run(empty_database_url, lambda made, to=revision: command.upgrade(made, to))  # type: ignore[misc]


def test_corrections_that_were_stored_before_find_the_first_of_what_they_correct(
    empty_database_url: str,
) -> None:
    run(empty_database_url, lambda made: command.upgrade(made, "0003"))
    owner, moment = uuid.uuid4(), datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
    first, second, third, fourth, lone, unknown, circle, back = (uuid.uuid4() for _ in range(8))
    replaces = {
        first: None,
        second: first,
        third: second,
        fourth: first,
        lone: unknown,
        circle: back,
        back: circle,
    }
    person = {
        "participant_id": owner,
        "enrolled_at": moment,
        "time_zone": "Europe/Madrid",
        "language": "en",
        "age_band": "unknown",
        "region": "unknown",
        "conditions": [],
        "last_change": 0,
        "used": True,
        "storage_consent": True,
    }
    session = {
        "participant_id": owner,
        "content_hash": "0" * 64,
        "received_at": moment,
        "started_at": moment,
        "ended_at": moment,
        "local_date": moment.date(),
        "time_zone": "Europe/Madrid",
        "status": "completed",
        "items": [],
    }

    async def as_it_was(db: AsyncSession) -> None:
        await db.execute(insert(Participant).values(person))
        for name, corrected in replaces.items():
            await db.execute(insert(ExerciseSession).values(**session, id=name, replaces=corrected))

    in_database(empty_database_url, as_it_was)
    run(empty_database_url, up)
    found = {row["id"]: row["original"] for row in rows(empty_database_url, ExerciseSession)}
    expected = {first: None, second: first, third: first, fourth: first, lone: unknown}
    assert {name: found[name] for name in expected} == expected


def back_to_a_log_that_can_be_changed(url: str) -> None:
    run(url, lambda made: command.downgrade(made, "0002"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_migration_waits_shortly_for_a_table_in_use_and_tries_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later requests for the table would wait behind it."""
    back_to_a_log_that_can_be_changed(database_url)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_MILLISECONDS", 50)

    async def migrate_beside_a_long_transaction() -> list[str]:
        database = Database(Settings(database_url=database_url), patient=True)
        said: list[str] = []
        waits = asyncio.Event()

        def say(line: str) -> None:
            said.append(line)
            waits.set()

        async with database.write() as db:
            await db.execute(text("LOCK TABLE audit_entry IN ROW EXCLUSIVE MODE"))
            migrating = asyncio.create_task(migrate(database, say, Patience(60, 0.05)))
            await asyncio.wait_for(waits.wait(), 20)
            await asyncio.wait({migrating}, timeout=0.3)
            assert not migrating.done()
        await asyncio.wait_for(migrating, 20)
        await require_head(database)
        await database.close()
        return said

    said = asyncio.run(migrate_beside_a_long_transaction())
    assert said == ["A table is in use by a longer transaction; waiting."]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_long_migration_is_not_interrupted(database_url: str, tmp_path: Path) -> None:
    """Neither by our own time-out nor by one that a host has given the database."""
    back_to_a_log_that_can_be_changed(database_url)
    name = database_url.rpartition("/")[2]
    execute(
        database_url,
        "CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.4); END $$",
        "CREATE EVENT TRIGGER slowly ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER') "
        "EXECUTE FUNCTION slowly()",
        f"ALTER DATABASE {name} SET statement_timeout = '200ms'",
    )
    done = footing(
        "migrate", database_url=database_url, folder=tmp_path, database_timeout_seconds="0.2"
    )
    assert done.stdout + done.stderr == "The database is at the newest migration.\n"


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1
