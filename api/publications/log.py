"""A small log outside the database: which periods were closed, and who was erased, as hashes.

A restored backup brings back participants who have been erased since, and lacks periods that have
been closed since. Publishing those again would draw noise a second time for the same people. The
log prevents both: see `restoring`.

One JSON object for each line, append-only:
{"installed": "2026-11-22", "installation": "…"}: the log of this installation begins;
{"closed": "week-2026-11-16", "installation": "…", …}: its figures were drawn;
{"erased": "…", "on": "2026-11-22"}.

A line is acknowledged when it is complete and on disk. An incomplete line, from a full disk or a
power failure, is removed; it was never acknowledged.
"""

import asyncio
import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from api.core.errors import NotReady, Unavailable
from api.publications.models import Publication
from api.publications.periods import ClosedPeriod

READABLE_BY_OWNER = 0o600
APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT
END = b"\n"
BLOCK = 64 * 1024
# A disk is rarely full for a shorter time.
RETRY_AFTER_SECONDS = 60


def hash_of(participant_id: uuid.UUID) -> str:
    """Return the hash that identifies an erased participant: ids are random and unguessable."""
    return hashlib.sha256(b"footing-erased:" + participant_id.bytes).hexdigest()


@dataclass(frozen=True)
class LoggedPublication(ClosedPeriod):
    """An entry of the log for a closed period."""

    @classmethod
    def of(cls, row: Publication) -> "LoggedPublication":
        """Return the log entry of a publication."""
        return cls(**{each.name: getattr(row, each.name) for each in fields(cls)})


@dataclass
class Logged:
    """The contents of the log, for one installation."""

    closed: dict[str, LoggedPublication] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    # False if the log is missing, of another installation, or has only erasures.
    knows_installation: bool = False
    # Whether the last line was cut off while it was being written.
    unfinished: bool = False


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class PublicationLog:
    """The log file."""

    path: Path

    def read(self, installation: uuid.UUID) -> Logged:
        """Read the log; a missing one is empty and without an installation.

        Raises NotReady for an invalid line, unless it is the last one and was cut off while being
        written.
        """
        logged = Logged()
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return logged
        except OSError as error:
            message = f"Cannot read the publication log {self.path}: {error.strerror}"
            raise NotReady(message) from None
        *lines, unfinished = data.split(END)
        if unfinished and _is_json(unfinished):
            lines.append(unfinished)
        else:
            logged.unfinished = bool(unfinished)
        for number, line in enumerate(lines, start=1):
            try:
                self._take(json.loads(line), installation, logged)
            except (ValueError, KeyError, TypeError):
                message = (
                    f"Line {number} of the publication log {self.path} is not valid. "
                    "Restore it from a copy."
                )
                raise NotReady(message) from None
        return logged

    @staticmethod
    def _take(entry: dict[str, Any], installation: uuid.UUID, logged: Logged) -> None:
        if "erased" in entry:
            logged.erased.add(str(entry["erased"]))
            return
        if uuid.UUID(entry["installation"]) != installation:
            return
        logged.knows_installation = True
        if "installed" not in entry:
            name = str(entry["closed"])
            logged.closed[name] = LoggedPublication(
                id=name,
                kind=str(entry["kind"]),
                starts_on=datetime.date.fromisoformat(entry["starts_on"]),
                ends_on=datetime.date.fromisoformat(entry["ends_on"]),
                closed_at=datetime.datetime.fromisoformat(entry["closed_at"]),
                profile=str(entry["profile"]),
                plan_hash=str(entry["plan_hash"]),
                rho=float(entry["rho"]),
                epsilon=float(entry["epsilon"]),
                delta=float(entry["delta"]),
            )

    def require_writable(self) -> None:
        """Raise NotReady if the log cannot be written: no erasure would be possible."""
        try:
            with self._opened():
                pass
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> NotReady:
        return NotReady(f"Cannot write the publication log {self.path}: {error.strerror}")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the log exclusively; others wait, so that lines never mix."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, APPEND, READABLE_BY_OWNER)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_new:
                # Otherwise a power failure could lose the whole file, whose name is in the folder.
                self._sync_folder()
            yield descriptor
        finally:
            os.close(descriptor)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _append(self, entry: dict[str, Any]) -> None:
        """Append one line and wait until it is on disk; on OSError nothing of it remains."""
        line = json.dumps(entry, default=str).encode() + END
        with self._opened() as descriptor:
            size, line = self._repaired(descriptor, line)
            try:
                written = 0
                while written < len(line):
                    # A disk that fills up first writes a part, and fails at the next write.
                    written += os.write(descriptor, line[written:])
                os.fsync(descriptor)
            except OSError:
                # If that fails too, the next process finds an incomplete line.
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
                    os.fsync(descriptor)
                raise

    @staticmethod
    def _repaired(descriptor: int, line: bytes) -> tuple[int, bytes]:
        """Remove an incomplete last line; return the size, and what to write there.

        A last line that lacks only its line break is kept and gets one.
        """
        size = os.fstat(descriptor).st_size
        unfinished = b""
        start = size
        while start and END not in unfinished:
            start = max(0, start - BLOCK)
            unfinished = os.pread(descriptor, size - start, start)
        unfinished = unfinished.rpartition(END)[2]
        if not unfinished:
            return size, line
        if _is_json(unfinished):
            return size, END + line
        size -= len(unfinished)
        os.ftruncate(descriptor, size)
        return size, line

    def _record(self, entry: dict[str, Any]) -> None:
        try:
            self._append(entry)
        except OSError as error:
            raise self._unwritable(error) from None

    def begin(self, installation: uuid.UUID, installed_on: datetime.date) -> None:
        """Record whose log this is."""
        self._record({"installed": installed_on, "installation": installation})

    def closed(self, publication: LoggedPublication, installation: uuid.UUID) -> None:
        """Record that a period was closed; after the commit."""
        values = vars(publication) | {"closed_at": publication.closed_at.isoformat()}
        self._record({"closed": values.pop("id"), "installation": installation} | values)

    async def erased(self, participant_id: uuid.UUID, today: datetime.date) -> None:
        """Record that a participant is erased; **before** the commit, so that none is ever missed.

        If the commit fails, the requested erasure is done by the next restore.
        """
        entry = {"erased": hash_of(participant_id), "on": today}
        try:
            await asyncio.to_thread(self._append, entry)
        except OSError:
            message = (
                "The erasure cannot be recorded at the moment, so nothing was erased. "
                "Try again later."
            )
            retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            raise Unavailable(message, headers=retry) from None
