"""How commands print values and tables."""

import datetime
from collections.abc import Iterable
from typing import Any

import typer

from api.core.dates import utc_text


def plain(value: Any) -> Any:
    """Write an instant as the API does."""
    if isinstance(value, datetime.datetime):
        return utc_text(value)
    return value


def aligned(rows: Iterable[Iterable[str]]) -> None:
    """Print columns, each as wide as its widest cell."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
