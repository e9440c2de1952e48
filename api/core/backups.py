"""Backups of a SQLite database: made while it is in use, checked, and put in its place.

With SQLite's own online backup, not by copying files: recent commits may still be in the
write-ahead log. PostgreSQL has its own tools.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from api.core.database_url import sqlite_file
from api.core.errors import NotReady

READABLE_BY_OWNER = 0o600
# Copied between two looks at what others have written meanwhile.
PAGES = 4096
# A command that has just ended may still be closing its connections.
PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.1
# Called with the pages that are left, and all pages.
Progress = Callable[[int, int], None]


def file_of(database_url: str) -> Path:
    """Return the file of a SQLite database; raise NotReady for another one."""
    file = sqlite_file(database_url)
    if file is None:
        message = (
            "This command is for SQLite. PostgreSQL has pg_dump, pg_restore and pg_basebackup: "
            "see docs/operators.md."
        )
        raise NotReady(message)
    return file


@contextlib.contextmanager
def _opened(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True)
    try:
        yield connection
    except sqlite3.Error as error:
        message = f"Cannot read {file}: {error}"
        raise NotReady(message) from error
    finally:
        connection.close()


def beside(file: Path, name: str) -> Path:
    """Return the path of a file in the same folder: of the same volume, so that it can be moved."""
    return file.with_name(f"{file.name}.{name}")


def copy(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copy a database that may be in use, as of one moment, to a file that does not exist yet."""
    if not source.is_file():
        message = f"There is no database {source}."
        raise NotReady(message)
    try:
        # It contains health data: only the owner may ever read it.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, READABLE_BY_OWNER))
    except OSError as error:
        message = f"Cannot write {target}: {error.strerror}"
        raise NotReady(message) from None

    def step(_: int, left: int, pages: int) -> None:
        if progress is not None:
            progress(left, pages)

    try:
        with _opened(source, "ro") as read, _opened(target, "rw") as written:
            read.backup(written, pages=PAGES, progress=step)
            # One file alone, without a write-ahead log beside it.
            written.execute("PRAGMA journal_mode = DELETE")
        check(target)
        _sync(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def check(file: Path) -> None:
    """Read a whole database file; raise NotReady if it is damaged or no database."""
    if not file.is_file():
        message = f"There is no file {file}."
        raise NotReady(message)
    with _opened(file, "ro") as connection:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if found != "ok" or broken is not None:
        reason = found if found != "ok" else f"a row of {broken[0]} refers to one that is not there"
        message = f"{file} is damaged: {reason}"
        raise NotReady(message)


def replace(file: Path, new: Path, kept: Path) -> None:
    """Put a checked copy in the place of a database that nothing has open, and keep the old one.

    Raises NotReady if a process has the database open.
    """
    if file.exists():
        settle(file)
        file.rename(kept)
        # A damaged database keeps its write-ahead log: what it lacks may be there.
        for ending in ("-wal", "-shm"):
            beside_it = file.with_name(file.name + ending)
            if beside_it.exists():
                beside_it.rename(kept.with_name(kept.name + ending))
    new.rename(file)
    _sync(file)


def settle(file: Path) -> None:
    """Write the write-ahead log into the file, so that it is one file alone.

    Raises NotReady if a process has the database open.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        connection = sqlite3.connect(file, timeout=0)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.rollback()
        except sqlite3.OperationalError as error:
            if time.monotonic() > give_up:
                message = (
                    f"{file} is in use ({error}). Stop the server and every other command first."
                )
                raise NotReady(message) from None
            time.sleep(PAUSE_SECONDS)
        except sqlite3.DatabaseError:
            # Damaged, which may be why a backup is restored.
            return
        else:
            return
        finally:
            connection.close()


def _sync(file: Path) -> None:
    """Wait until a file and its name are on disk."""
    for place, flags in ((file, os.O_RDONLY), (file.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(place, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
