"""Reads published cells: the only source of everything that clinicians get."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

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
from api.publications.measures import Statistic, TableName
from api.publications.models import CELLS

Cells = dict[TableName, dict[str, Cell]]


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
