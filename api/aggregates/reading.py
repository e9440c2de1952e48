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
from api.aggregates.models import CELLS, PUBLICATIONS

Cells = dict[TableName, dict[str, Cell]]


@dataclass(frozen=True)
class Published:
    """A closed period with its guarantee."""

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
    released: bool


async def published(
    db: AsyncSession,
    kind: str,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> list[Published]:
    """Return the closed periods of a kind that begin between two days, oldest first."""
    statement = select(PUBLICATIONS).where(PUBLICATIONS.c.kind == kind)
    if first is not None:
        statement = statement.where(PUBLICATIONS.c.starts_on >= first)
    if last is not None:
        statement = statement.where(PUBLICATIONS.c.starts_on <= last)
    rows = await db.execute(statement.order_by(PUBLICATIONS.c.starts_on))
    return [Published(**row) for row in rows.mappings()]


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
