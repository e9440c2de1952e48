"""Reads published cells: the only source of everything that clinicians get."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.aggregates.estimates import (
    Cell,
    Estimate,
    FigureLimits,
    Noisy,
    Quantity,
    estimates,
    noisy,
    pain_spread,
    with_totals,
)
from api.publications.measures import Statistic, TableName
from api.publications.models import PublicationCell

Cells = dict[TableName, dict[str, Cell]]


async def published_keys(db: AsyncSession) -> dict[TableName, set[str]]:
    """Return the keys of every published table: routines and regions come and go."""
    found: dict[TableName, set[str]] = {}
    statement = select(PublicationCell.table_name, PublicationCell.key).distinct()
    for table_name, key in await db.exec(statement):
        found.setdefault(TableName(table_name), set()).add(key)
    return found


async def cells_of(db: AsyncSession, publication_ids: Sequence[str]) -> dict[str, Cells]:
    """Return the cells of publications, with one total for all of its tables."""
    statement = select(PublicationCell).where(
        col(PublicationCell.publication_id).in_(publication_ids)
    )
    found: dict[str, dict[TableName, dict[str, dict[Statistic, Noisy]]]] = {}
    for row in await db.exec(statement):
        statistic = Statistic(row.statistic)
        tables = found.setdefault(row.publication_id, {})
        cell = tables.setdefault(TableName(row.table_name), {}).setdefault(row.key, {})
        cell[statistic] = noisy(statistic, row.noisy, row.scale)
    return {name: with_totals(tables) for name, tables in found.items()}


def table_estimates(
    cells: Cells, table: TableName, limits: FigureLimits
) -> dict[str, dict[Quantity, Estimate]]:
    """Return the estimates of every cell of a table of one publication."""
    spread = pain_spread(cells)
    found = cells.get(table, {})
    return {
        key: estimates(cell, limits, spread, cells=len(found))
        for key, cell in sorted(found.items())
    }
