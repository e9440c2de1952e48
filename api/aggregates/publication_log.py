"""A small log outside the database: which periods were closed, and who was erased, as hashes.

A backup that is restored brings back people who were erased since, and has forgotten periods that
were closed since. Publishing those again would draw noise a second time for the same people. The
log knows better: see `restoring`.

One JSON object a line, only ever added to:
{"closed": "week-2026-11-16", "installation": "…", …} or {"erased": "…", "on": "2026-11-22"}
"""

import asyncio
import datetime
import hashlib
import json
import os
import uuid
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from api.aggregates.periods import ClosedPeriod
from api.core.errors import NotReady, Unavailable

READABLE_BY_OWNER = 0o600
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def hash_of(participant_id: uuid.UUID) -> str:
    """Return what stands for an erased participant. Their id is random: it can't be guessed."""
    return hashlib.sha256(b"footing-erased:" + participant_id.bytes).hexdigest()


@dataclass(frozen=True)
class LoggedPublication(ClosedPeriod):
    """What the log knows of a closed period."""

    @classmethod
    def of(cls, row: Row[Any]) -> "LoggedPublication":
        """Take what is needed from a row of the database."""
        return cls(**{each.name: getattr(row, each.name) for each in fields(cls)})


@dataclass
class Logged:
    """What stands in the log, for one installation."""

    closed: dict[str, LoggedPublication] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class PublicationLog:
    """The log, in a file of its own."""

    path: Path

    def read(self, installation: uuid.UUID) -> Logged:
        """Read the log; one that is not there yet is empty."""
        logged = Logged()
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return logged
        except OSError as error:
            message = f"Can't read the publication log {self.path}: {error.strerror}"
            raise NotReady(message) from None
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                self._take(json.loads(line), installation, logged)
            except (ValueError, KeyError, TypeError):
                message = (
                    f"Line {number} of the publication log {self.path} can't be understood. "
                    "Mend it from a copy, or take it out if it was cut off while being written."
                )
                raise NotReady(message) from None
        return logged

    @staticmethod
    def _take(entry: dict[str, Any], installation: uuid.UUID, logged: Logged) -> None:
        if "erased" in entry:
            logged.erased.add(str(entry["erased"]))
        elif uuid.UUID(entry["installation"]) == installation:
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
        """Refuse a place that can't be written to: no erasure would be possible."""
        try:
            os.close(os.open(self.path, APPEND, READABLE_BY_OWNER))
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> NotReady:
        return NotReady(f"Can't write the publication log {self.path}: {error.strerror}")

    def _append(self, entry: dict[str, Any]) -> None:
        """Add one line and wait until it is on disk; one write, so that lines never mix."""
        line = json.dumps(entry, default=str).encode() + b"\n"
        descriptor = os.open(self.path, APPEND, READABLE_BY_OWNER)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def closed(self, publication: LoggedPublication, installation: uuid.UUID) -> None:
        """Record that a period was closed; after the commit."""
        values = vars(publication) | {"closed_at": publication.closed_at.isoformat()}
        entry = {"closed": values.pop("id"), "installation": installation} | values
        try:
            self._append(entry)
        except OSError as error:
            raise self._unwritable(error) from None

    async def erased(self, participant_id: uuid.UUID, today: datetime.date) -> None:
        """Record that somebody is erased; **before** the commit, so that none is ever missed.

        Were the commit to fail, the erasure that the person asked for would be made up for later.
        """
        entry = {"erased": hash_of(participant_id), "on": today}
        try:
            await asyncio.to_thread(self._append, entry)
        except OSError:
            message = "The erasure can't be recorded now, so nothing was erased. Try again later."
            raise Unavailable(message) from None
