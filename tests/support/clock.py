"""A clock that tests move by hand."""

import datetime

START = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)


class FakeClock:
    def __init__(self) -> None:
        self.instant = START

    def now(self) -> datetime.datetime:
        return self.instant

    def advance(self, **delta: float) -> None:
        self.instant += datetime.timedelta(**delta)
