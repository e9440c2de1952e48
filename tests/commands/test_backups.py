"""`footing backup`, `footing restore` and `footing check --operations`."""

import asyncio
import contextlib
import datetime
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.core.config import Settings
from api.core.db import Database
from api.journal.models import ExerciseSession
from api.migrations import current, head
from api.participants.models import Participant
from api.publications.models import Publication
from tests.core.stored import in_database, rows
from tests.publications.population import install
from tests.support import databases
from tests.support.device import Device
from tests.support.server import footing, running_server


class Operator:
    """Runs commands on one installation."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.file = Path(url.removeprefix("sqlite:///"))
        self.log = folder / "publications.log"

    def kept(self) -> list[Path]:
        """Return the databases from before a restore."""
        return sorted(self.file.parent.glob(f"{self.file.name}.replaced-*"))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return footing(
            *arguments, database_url=self.url, folder=self.folder, publication_log=str(self.log)
        )

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def operator(templates: Path, tmp_path: Path) -> Iterator[Operator]:
    # Of its own: a database that tests share is open in their process.
    with databases.fresh_database("sqlite", templates, tmp_path) as url:
        yield Operator(url, tmp_path)


def test_what_is_acknowledged_before_a_backup_is_restored_and_later_erasures_stay(
    operator: Operator, tmp_path: Path
) -> None:
    """Made while a server writes; the one who erases their data afterwards does not come back."""
    with (
        running_server(operator.url, tmp_path, publication_log=str(operator.log)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        stays, leaves, later = Device(client), Device(client), Device(client)
        for device in (stays, leaves):
            device.enrol()
            assert device.post_session(device.session()).status_code == 201
        said = operator.succeed("backup", "backup.db")
        assert "and checked" in said
        later.enrol()
        assert client.delete("/v1/me", headers=leaves.headers).status_code == 200
        # The server has it open.
        assert "Stop the server" in operator.refused("restore", "backup.db")
        assert stays.get("/v1/me").status_code == 200
    before = operator.file.read_bytes(), operator.log.read_bytes()
    said = operator.succeed("restore", "backup.db", "--check")
    assert "can be restored" in said
    assert "Would erase again: 1 participants" in said
    assert (operator.file.read_bytes(), operator.log.read_bytes()) == before
    said = operator.succeed("restore", "backup.db")
    assert "Erased again: 1 participants" in said
    assert {str(row["participant_id"]) for row in rows(operator.url, Participant)} == {
        stays.participant_id
    }
    assert len(rows(operator.url, ExerciseSession)) == 1
    (kept,) = operator.kept()
    assert len(rows(f"sqlite:///{kept}", Participant)) == 2
    assert kept.name in said
    assert not list(operator.file.parent.glob(f"{operator.file.name}.restoring*"))
    assert not list(operator.file.parent.glob(".restore-*"))
    with (
        running_server(operator.url, tmp_path, publication_log=str(operator.log)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        stays.client = client
        assert stays.get("/v1/me").status_code == 200


def test_a_period_that_was_published_after_the_backup_is_not_drawn_again(
    operator: Operator,
) -> None:
    in_database(operator.url, install)
    operator.succeed("backup", "backup.db")
    operator.run("publish", "--adopt-log", installation_of(operator))
    published = {row["id"] for row in rows(operator.url, Publication)}
    assert published
    said = operator.succeed("restore", "backup.db")
    assert f"Marked as not released: {len(published)} periods" in said
    assert {(row["id"], row["released"]) for row in rows(operator.url, Publication)} == {
        (name, False) for name in published
    }
    assert operator.succeed("publish") == "No period is due.\n"


def installation_of(operator: Operator) -> str:
    with contextlib.closing(sqlite3.connect(operator.file)) as connection:
        (found,) = connection.execute("SELECT id FROM installation").fetchone()
    text = str(found)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def test_a_backup_of_an_earlier_version_is_migrated(operator: Operator) -> None:
    operator.succeed("backup", "backup.db")
    old = operator.folder / "backup.db"
    connection = sqlite3.connect(old)
    connection.execute("DROP TABLE alembic_version")
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("PRAGMA foreign_keys = OFF")
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    connection.commit()
    connection.close()
    operator.succeed("restore", "backup.db")

    async def revision() -> str | None:
        database = Database(Settings(database_url=operator.url))
        try:
            async with database.reader.connect() as connection:
                return await connection.run_sync(current)
        finally:
            await database.close()

    assert asyncio.run(revision()) == head()


def test_what_is_damaged_or_no_backup_is_refused_and_changes_nothing(operator: Operator) -> None:
    before = operator.file.read_bytes()
    (operator.folder / "text.db").write_text("no database at all, but long enough" * 100)
    operator.succeed("backup", "backup.db")
    damaged = bytearray((operator.folder / "backup.db").read_bytes())
    damaged[8192:12288] = b"\xff" * 4096
    (operator.folder / "damaged.db").write_bytes(damaged)
    for name in ("text.db", "damaged.db", "missing.db"):
        for options in ((), ("--check",)):
            assert name in operator.refused("restore", name, *options)
    assert operator.file.read_bytes() == before
    assert not operator.kept()


def test_a_backup_never_overwrites_a_file_and_is_readable_by_its_owner_alone(
    operator: Operator,
) -> None:
    operator.succeed("backup", "backup.db")
    assert (operator.folder / "backup.db").stat().st_mode & 0o777 == 0o600
    assert "File exists" in operator.refused("backup", "backup.db")
    assert "No such file or directory" in operator.refused("backup", "no-folder/backup.db")


def test_a_newer_backup_than_this_version_is_refused(operator: Operator) -> None:
    operator.succeed("backup", "backup.db")
    connection = sqlite3.connect(operator.folder / "backup.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert "does not know" in operator.refused("restore", "backup.db")
    assert not list(operator.file.parent.glob(f"{operator.file.name}.restoring*"))


def test_the_operations_of_a_new_installation_have_no_fault(operator: Operator) -> None:
    in_database(operator.url, lambda db: install(db, datetime.datetime.now(datetime.UTC).date()))
    said = operator.succeed("check", "--operations")
    assert [line[:5].strip() for line in said.splitlines()] == ["ok"] * 4
    # Nothing was written by looking.
    assert operator.log.read_bytes() == b""


def test_each_fault_of_operations_is_named_with_what_to_do(operator: Operator) -> None:
    in_database(operator.url, install)
    done = operator.run("check", "--operations")
    assert done.returncode == 1
    faults = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert any("--adopt-log" in line for line in faults)
    assert any("Run: footing publish" in line for line in faults)
    shutil.rmtree(operator.log, ignore_errors=True)
    operator.log.unlink()
    operator.log.mkdir()
    assert "Cannot write the publication log" in operator.run("check", "--operations").stdout
