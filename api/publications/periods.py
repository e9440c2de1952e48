"""The periods and when they close: determined by the calendar only, never by data."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True, order=True)
class Period:
    """A span of whole days, in the participants' own dates."""

    starts_on: datetime.date
    days: int
    kind: str

    @property
    def after(self) -> datetime.date:
        """The first day after it."""
        return self.starts_on + datetime.timedelta(days=self.days)

    @property
    def ends_on(self) -> datetime.date:
        """Its last day."""
        return self.after - datetime.timedelta(days=1)

    @property
    def id(self) -> str:
        """The id of its publication: the same on every server, so that it reveals nothing."""
        return f"{self.kind}-{self.starts_on.isoformat()}"

    def closes_on(self, grace_days: int) -> datetime.date:
        """The day at whose first second (UTC) the period closes for records."""
        return self.after + datetime.timedelta(days=grace_days)

    def closes_at(self, grace_days: int) -> datetime.datetime:
        """The first instant of that day."""
        return midnight(self.closes_on(grace_days))


def midnight(day: datetime.date) -> datetime.datetime:
    """Return the first instant of a day in UTC."""
    return datetime.datetime.combine(day, datetime.time(tzinfo=datetime.UTC))


def day_number(day: datetime.date) -> int:
    """Return the number of days since 1970-01-01."""
    return (day - EPOCH).days


def periods(kind: str, days: int, first: datetime.date) -> Iterator[Period]:
    """Yield a kind's periods from the first on, without end."""
    starts_on = first
    while True:
        period = Period(starts_on, days, kind)
        yield period
        starts_on = period.after


def due(
    kind: str, days: int, first: datetime.date, grace_days: int, today: datetime.date
) -> Iterator[Period]:
    """Return the periods of a kind that are to be closed, oldest first."""
    for period in periods(kind, days, first):
        if period.closes_on(grace_days) > today:
            return
        yield period


@dataclass(frozen=True)
class ClosedPeriod:
    """A closed period with its policy and privacy cost."""

    id: str
    kind: str
    starts_on: datetime.date
    ends_on: datetime.date
    closed_at: datetime.datetime
    profile: str
    plan_hash: str
    rho: float
    epsilon: float
    delta: float
