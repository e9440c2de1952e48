"""Reads publications: the only source of everything that clinicians are told."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.aggregates.estimates import (
    Cell,
    Estimate,
    Noisy,
    PainBounds,
    Quantity,
    estimates,
    noisy,
    pain_spread,
    reconciled,
)
from api.aggregates.measures import Statistic, TableName
from api.aggregates.models import CELLS, INSTALLATIONS, PUBLICATIONS
from api.aggregates.periods import ClosedPeriod, monday_of
from api.core.errors import NotReady

Cells = dict[TableName, dict[str, Cell]]


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


async def published_keys(db: AsyncSession) -> dict[TableName, set[str]]:
    """Return the keys of every table that was ever published: routines and regions come and go."""
    found: dict[TableName, set[str]] = {}
    for row in await db.execute(select(CELLS.c.table_name, CELLS.c.key).distinct()):
        found.setdefault(TableName(row.table_name), set()).add(row.key)
    return found


async def cells_of(db: AsyncSession, publication_ids: Sequence[str]) -> dict[str, Cells]:
    """Return the cells of publications, with the totals of their tables reconciled."""
    rows = await db.execute(select(CELLS).where(CELLS.c.publication_id.in_(publication_ids)))
    found: dict[str, dict[TableName, dict[str, dict[Statistic, Noisy]]]] = {}
    for row in rows:
        statistic = Statistic(row.statistic)
        tables = found.setdefault(row.publication_id, {})
        cell = tables.setdefault(TableName(row.table_name), {}).setdefault(row.key, {})
        cell[statistic] = noisy(statistic, row.noisy, row.scale)
    return {name: reconciled(tables) for name, tables in found.items()}


def table_estimates(
    cells: Cells, table: TableName, bounds: PainBounds
) -> dict[str, dict[Quantity, Estimate]]:
    """Say what may be said of every cell of a table of one publication."""
    spread = pain_spread(cells)
    return {
        key: estimates(cell, bounds, spread) for key, cell in sorted(cells.get(table, {}).items())
    }
