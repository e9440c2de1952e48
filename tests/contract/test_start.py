"""Starting and stopping: what is wrong is said in one line, with what to do and no password."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.commands.app import app as command
from api.core.config import Settings
from api.core.db import Database
from tests.support.server import footing, running_server

SECRET = "correct-horse"  # noqa: S105  # the password that must not be printed


def said_by(text: str) -> list[str]:
    """Return what was said, apart from reviews that are overdue: one day they will be."""
    return [line for line in text.splitlines() if not line.startswith("Overdue: ")]


def only_line(text: str) -> str:
    """Return the one line that is there."""
    (line,) = said_by(text)
    assert SECRET not in line
    return line


def test_each_error_of_a_new_database_names_the_next_step_until_it_serves(
    empty_database_url: str, tmp_path: Path
) -> None:
    def run(name: str) -> tuple[int, list[str]]:
        done = footing(name, database_url=empty_database_url, folder=tmp_path)
        return done.returncode, said_by(done.stderr)

    for name in ("serve", "seed"):
        code, (said,) = run(name)
        assert code == 1
        assert said.startswith("The database has not been migrated")
        assert said.endswith("Run: footing migrate")
    assert run("migrate") == (0, [])
    said = "There is no content in the database yet. Run: footing seed"
    assert run("serve") == (1, [said])
    assert run("seed") == (0, [])
    with running_server(empty_database_url, tmp_path) as server:
        routine = httpx.get(f"{server.url}/v1/routines/daily-15-minutes").json()
        assert routine["id"] == "daily-15-minutes"


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("name", ["migrate", "seed", "serve"])
def test_a_database_that_is_not_there_is_named_without_its_password(
    name: str, tmp_path: Path
) -> None:
    port = closed_port()
    url = f"postgresql://footing:{SECRET}@127.0.0.1:{port}/feet?password={SECRET}"
    done = footing(name, database_url=url, folder=tmp_path)
    assert done.returncode == 1
    said = only_line(done.stderr)
    assert said.startswith(f"Cannot open the database postgresql://127.0.0.1:{port}/feet: ")
    assert "Connect call failed" in said


def test_a_database_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with silent_port() as port:
        url = f"postgresql://footing:{SECRET}@127.0.0.1:{port}/feet"
        done = footing("serve", database_url=url, folder=tmp_path, database_timeout_seconds="0.5")
    assert done.returncode == 1
    assert only_line(done.stderr).endswith("/feet: no response in time")


@pytest.mark.parametrize(
    ("file", "reason"),
    [("missing/footing.db", "unable to open database file"), ("a.txt", "file is not a database")],
)
def test_a_file_that_is_no_database_is_named(file: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Feet first.", "utf-8")
    url = f"sqlite:///{tmp_path / file}"
    done = footing("migrate", database_url=url, folder=tmp_path)
    assert done.returncode == 1
    assert only_line(done.stderr) == f"Cannot open the database {url}: {reason}"


def stamp(database_url: str, migration: str) -> None:
    """Leave the database as another version's migration would."""

    async def write() -> None:
        database = Database(Settings(database_url=database_url))
        async with database.write() as db:
            statement = text("UPDATE alembic_version SET version_num = :migration")
            await db.execute(statement, {"migration": migration})
        await database.close()

    asyncio.run(write())


def test_a_migration_of_a_newer_version_is_rejected_with_what_to_install(
    database_url: str, tmp_path: Path
) -> None:
    stamp(database_url, "9999")
    for name in ("migrate", "serve"):
        done = footing(name, database_url=database_url, folder=tmp_path)
        assert done.returncode == 1
        assert "is at migration 9999, which this version does not know" in only_line(done.stderr)


BAD_SETTINGS = [
    ("DATABASE_URL", SECRET, "is not a database URL such as sqlite:///footing.db"),
    ("DATABASE_URL", f"mysql://u:{SECRET}@h/x", "mysql is not supported: use sqlite or postgresql"),
    # An @ that is not percent-encoded turns half of a password into a port.
    ("DATABASE_URL", f"postgresql://u:p@w:{SECRET}@h/x", "is not a database URL"),
    ("DATABASE_POOL_SIZE", "many", "valid integer"),
    ("DATABASE_POOL_SIZE", "0", "greater than or equal to 1"),
    ("REGIONS", "es", 'a list is written as JSON, like ["es", "en"]'),
    ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
    ("RATE_LIMIT_PUBLIC", "lots", "is not a rate such as 600/minute"),
    ("RATE_LIMIT_STORAGE", f"ftp://u:{SECRET}@h", "is not a storage"),
    ("APP_VERSIONS", '{"ios": {"minimum": "new"}}', "FOOTING_APP_VERSIONS/ios/minimum: "),
    ("DEPRECATIONS", '[{"method": "GET", "path": "/v1/tips"}]', "/0/deprecated_at: Field required"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD_SETTINGS)
@pytest.mark.parametrize("arguments", ["migrate", "seed", "serve", "openapi"])
def test_a_bad_setting_is_named_before_anything_is_opened(
    arguments: str, name: str, value: str, expected: str
) -> None:
    done = CliRunner().invoke(command, arguments, env={f"FOOTING_{name}": value})
    assert done.exit_code == 1
    assert expected in only_line(done.stderr)
    assert name.lower() in only_line(done.stderr).lower()
    assert done.stdout == ""


NO_CALL = '[{"method": "GET", "path": "/v1/x", "deprecated_at": "2026-01-01T00:00:00Z"}]'


@pytest.mark.parametrize("name", ["serve", "openapi"])
def test_deprecating_an_unknown_endpoint_is_reported_in_one_line(name: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/footing.db"
    done = footing(name, database_url=url, folder=tmp_path, deprecations=NO_CALL)
    assert (done.returncode, done.stdout) == (1, "")
    said = only_line(done.stderr)
    assert said.startswith(
        "FOOTING_DEPRECATIONS names GET /v1/x, which is not an endpoint of this server."
    )


def test_a_port_in_use_is_named(database_url: str, tmp_path: Path) -> None:
    with silent_port() as port:
        arguments = ("serve", "--port", str(port))
        done = footing(*arguments, database_url=database_url, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    expected = f"Cannot listen on 127.0.0.1, port {port}: Address already in use"
    assert only_line(done.stderr) == expected


def test_a_host_that_is_not_here_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/footing.db"
    done = footing("serve", "--host", "192.0.2.1", database_url=url, folder=tmp_path)
    assert done.returncode == 1
    assert only_line(done.stderr).startswith("Cannot listen on 192.0.2.1, port 8000: ")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_sslmode_is_understood_as_postgresql_writes_it(database_url: str, tmp_path: Path) -> None:
    # The cluster of the tests speaks no TLS: `disable` gets in, `require` is refused.
    answers = {}
    for mode in ("disable", "require"):
        url = f"{database_url}?sslmode={mode}"
        answers[mode] = footing("migrate", database_url=url, folder=tmp_path)
    assert answers["disable"].returncode == 0
    assert answers["require"].returncode == 1
    assert "SSL" in only_line(answers["require"].stderr)


def test_on_a_stop_signal_it_finishes_and_closes_its_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/footing.db"
    for name in ("migrate", "seed"):
        assert footing(name, database_url=url, folder=tmp_path).returncode == 0
    with running_server(url, tmp_path) as server:
        httpx.get(f"{server.url}/readyz").raise_for_status()
        assert (tmp_path / "footing.db-wal").exists()
    events = [json.loads(line) for line in server.log.splitlines()]
    assert events[-1]["event"].startswith("Finished server process")
    assert {event["level"] for event in events} == {"info"}
    # SQLite removes its log when the last connection is closed in order.
    assert not (tmp_path / "footing.db-wal").exists()
