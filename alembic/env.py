"""Runs migrations on the database of FOOTING_DATABASE_URL, or on a given connection."""

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from api.core.config import Settings
from api.core.db import JsonDocument, UtcDateTime, create_engine, metadata
from api.tables import ALL_TABLES

assert ALL_TABLES  # noqa: S101  # importing them fills the metadata


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Render our own types as those of the database: a migration must not depend on our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and item is JsonDocument:
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run(connection: Connection) -> None:
    """Run the migrations on one connection."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_own_engine() -> None:
    """Open an engine, for the alembic command."""
    engine = create_engine(Settings(), writer=True, patient=True)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_on_own_engine())
else:
    run(given)
