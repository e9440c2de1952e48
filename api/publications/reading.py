"""Reads which periods are closed."""

import datetime
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.errors import NotReady
from api.publications.models import INSTALLATIONS, PUBLICATIONS
from api.publications.periods import ClosedPeriod, monday_of


@dataclass(frozen=True)
class Published(ClosedPeriod):
    """A closed period with its guarantee, and whether its figures may be given."""

    released: bool


async def first_day(db: AsyncSession) -> datetime.date:
    """Return the day from which periods are counted: the Monday of the first migration's week.

    The day of the first enrolment would tell something about a person; this one tells nothing.
    """
    installed_on = (await db.execute(select(INSTALLATIONS.c.installed_on))).scalar_one_or_none()
    if installed_on is None:
        message = "The database does not say since when it is installed. Run: footing migrate"
        raise NotReady(message)
    return monday_of(installed_on)


async def published(
    db: AsyncSession,
    kind: str | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> list[Published]:
    """Return the closed periods that begin between two days, oldest first: all, or of a kind."""
    statement = select(PUBLICATIONS)
    if kind is not None:
        statement = statement.where(PUBLICATIONS.c.kind == kind)
    if first is not None:
        statement = statement.where(PUBLICATIONS.c.starts_on >= first)
    if last is not None:
        statement = statement.where(PUBLICATIONS.c.starts_on <= last)
    rows = await db.execute(statement.order_by(PUBLICATIONS.c.starts_on))
    return [Published(**row) for row in rows.mappings()]
