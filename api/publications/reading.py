"""Reads which periods are closed."""

import datetime
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.dates import monday_of
from api.core.errors import NotReady
from api.publications.models import Installation, Publication
from api.publications.periods import ClosedPeriod


@dataclass(frozen=True)
class Published(ClosedPeriod):
    """A closed period with its guarantee, and whether its figures may be served."""

    released: bool


async def first_day(db: AsyncSession) -> datetime.date:
    """Return the first day of the first period: the Monday of the week of the first migration.

    The date of the first enrolment would reveal something about a participant.
    """
    installed_on = (await db.exec(select(col(Installation.installed_on)))).one_or_none()
    if installed_on is None:
        message = "The database has no installation date. Run: footing migrate"
        raise NotReady(message)
    return monday_of(installed_on)


async def published(
    db: AsyncSession,
    kind: str | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> list[Published]:
    """Return the closed periods that begin between two dates, oldest first: all, or of a kind."""
    statement = select(Publication)
    if kind is not None:
        statement = statement.where(col(Publication.kind) == kind)
    if first is not None:
        statement = statement.where(col(Publication.starts_on) >= first)
    if last is not None:
        statement = statement.where(col(Publication.starts_on) <= last)
    rows = await db.exec(statement.order_by(col(Publication.starts_on)))
    return [Published(**row.model_dump()) for row in rows]
