"""Which SQL statements a piece of work sends to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

Sent = list[tuple[str, Any]]


@contextmanager
def listening(*engines: AsyncEngine) -> Iterator[Sent]:
    """Collect the statements that are sent, with their parameters."""
    sent: Sent = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, parameters))

    # On PostgreSQL one engine reads and writes.
    listened = {engine.sync_engine for engine in engines}
    for engine in listened:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in listened:
            event.remove(engine, "before_cursor_execute", note)
