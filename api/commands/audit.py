"""`footing audit`: the queries of clinicians."""

import csv
import datetime
import json
import re
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import typer

from api.clinicians.audit import read_entries
from api.commands.console import fail, opened, read_settings, run
from api.commands.printing import aligned, plain
from api.core.logging import set_up_logging
from api.migrations import require_head

Format = Literal["table", "csv", "jsonl"]
COLUMNS = ("asked_at", "kind", "who", "name", "operation", "parameters", "status", "request_id")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def read_since(text: str | None) -> datetime.datetime | None:
    """Parse a date, which means midnight UTC, or a time with its offset."""
    if text is None:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return found.replace(tzinfo=datetime.UTC)
    if found is None or found.tzinfo is None:
        raise fail(
            "--since must be a date such as 2026-11-22, or a time such as 2026-11-22T10:00Z."
        )
    return found


def write_csv(entries: Iterable[dict[str, Any]]) -> None:
    """Write the log for a spreadsheet."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow({**entry, "parameters": json.dumps(entry["parameters"])})


def write_table(entries: Iterable[dict[str, Any]]) -> None:
    """Write the log for people."""
    head = [column.replace("_", " ").upper() for column in COLUMNS]
    cells = (
        [
            json.dumps(value) if column == "parameters" else str("-" if value is None else value)
            for column, value in entry.items()
        ]
        for entry in entries
    )
    aligned([head, *cells])


@app.command()
def audit(
    since: Annotated[
        str | None, typer.Option(help="From this date (UTC) or time with offset.")
    ] = None,
    who: Annotated[
        str | None,
        typer.Option(help="A key's name or id, or the subject of the issuer's user."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = "table",
) -> None:
    """Print the queries of clinicians, oldest first."""
    start = read_since(since)
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> list[dict[str, Any]]:
        async with opened(settings) as database:
            await require_head(database)
            async with database.read() as db:
                return [
                    {column: plain(getattr(entry, column)) for column in COLUMNS}
                    async for entry in read_entries(
                        db, since=start, who=who, issuer=settings.oidc_issuer
                    )
                ]

    entries = run(work())
    match form:
        case "csv":
            write_csv(entries)
        case "jsonl":
            for entry in entries:
                typer.echo(json.dumps(entry, ensure_ascii=False))
        case _:
            write_table(entries)
