"""The only place that asks what time it is."""

import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; tests pass one that they move by hand."""

    def now(self) -> datetime.datetime:
        """Return the current instant in UTC, in whole seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """Return the current instant in UTC, in whole seconds."""
        return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
