"""What is really in the database: tests look where clients can't."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.config import Settings
from api.core.db import Database, table_of
from api.tables import ALL_TABLES

Result = TypeVar("Result")


@functools.lru_cache(maxsize=8)
def database_at(url: str) -> Database:
    """Keep what SQLAlchemy learns of a database; connections are closed after each use."""
    return Database(Settings(database_url=url))


def in_database(
    url: str, work: Callable[[AsyncSession], Awaitable[Result]], *, reading: bool = False
) -> Result:
    """Run something in a transaction of its own; one that only reads waits for no writer."""

    async def run() -> Result:
        database = database_at(url)
        try:
            async with database.read() if reading else database.write() as db:
                return await work(db)
        finally:
            await database.close()

    return asyncio.run(run())


async def _rows(db: AsyncSession, model: type[SQLModel]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in await db.execute(select(table_of(model)))]


def rows(url: str, model: type[SQLModel]) -> list[dict[str, Any]]:
    return in_database(url, lambda db: _rows(db, model))


def everything(url: str) -> str:
    """Write every personal and every other row as one text to search in."""

    async def read(db: AsyncSession) -> str:
        return "\n".join(
            [
                f"{model.__tablename__}: {row}"
                for model in ALL_TABLES
                for row in await _rows(db, model)
            ]
        )

    return in_database(url, read)


def execute(url: str, *statements: str) -> None:
    async def run(db: AsyncSession) -> None:
        for statement in statements:
            await db.execute(text(statement))

    in_database(url, run)
