"""What is really in the database: tests look where clients can't."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.config import Settings
from api.core.db import Database, table_of
from api.tables import ALL_TABLES

Result = TypeVar("Result")


def in_database(
    url: str, work: Callable[[AsyncSession], Awaitable[Result]], *, reading: bool = False
) -> Result:
    """Run something in a transaction of its own; one that only reads waits for no writer."""

    async def run() -> Result:
        database = Database(Settings(database_url=url))
        try:
            async with database.read() if reading else database.write() as db:
                return await work(db)
        finally:
            await database.close()

    return asyncio.run(run())


def rows(url: str, model: type[SQLModel]) -> list[dict[str, Any]]:
    async def read(db: AsyncSession) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in await db.execute(select(table_of(model)))]

    return in_database(url, read)


def everything(url: str) -> str:
    """Write every personal and every other row as one text to search in."""
    return "\n".join(
        f"{model.__tablename__}: {row}" for model in ALL_TABLES for row in rows(url, model)
    )


def execute(url: str, *statements: str) -> None:
    async def run(db: AsyncSession) -> None:
        for statement in statements:
            await db.execute(text(statement))

    in_database(url, run)
