"""The only source of the current time."""

import datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the current time; tests pass one that they control."""

    def now(self) -> datetime.datetime:
        """Return the current instant in UTC, in whole seconds."""
        ...


class SystemClock:
    """The system clock."""

    def now(self) -> datetime.datetime:
        """Return the current instant in UTC, in whole seconds."""
        return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
