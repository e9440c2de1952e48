"""`footing clinician` and `footing audit`: who may read aggregates, and who has."""

import csv
import datetime
import json
import re
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import typer

from api.clinicians import service
from api.clinicians.audit import read_entries
from api.clinicians.identity import READ_AGGREGATES, Scope
from api.clinicians.service import KeyState
from api.commands.console import fail, opened, read_settings, run
from api.core.clock import SystemClock
from api.core.logging import set_up_logging
from api.migrations import require_head

app = typer.Typer(no_args_is_help=True, help="Keys of clinicians, who read aggregates.")

# A spreadsheet takes a name that starts with a sign for a formula.
NAME = re.compile(r"^\w[^\x00-\x1f\x7f]{0,99}\Z")
LONGEST_DAYS = 366
Format = Literal["table", "csv", "jsonl"]
COLUMNS = ("asked_at", "kind", "who", "name", "operation", "parameters", "status", "request_id")


def plain(value: Any) -> Any:
    """Write an instant as the API does."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def aligned(rows: Iterable[Iterable[str]]) -> None:
    """Print columns, each as wide as its widest cell."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is; the audit log shows it.")],
    days: Annotated[int, typer.Option(help="How long it is valid.", min=1, max=LONGEST_DAYS)],
    scope: Annotated[Scope, typer.Option(help="What it opens.")] = READ_AGGREGATES,
) -> None:
    """Make a key and print it, this once, on standard output."""
    if not NAME.match(name):
        raise fail("A name has 1 to 100 characters and starts with a letter or a digit.")
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> tuple[str, datetime.datetime]:
        async with opened(settings) as database:
            await require_head(database)
            async with database.write() as db:
                key, expires_at = await service.add_key(db, name, days, [scope], SystemClock())
        return str(key), expires_at

    key, expires_at = run(work())
    typer.echo(f"The key of {name}, valid until {plain(expires_at)}. It is shown once.", err=True)
    typer.echo(key)


def state_of(key: KeyState, now: datetime.datetime) -> str:
    """Say in a word whether a key opens anything."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at <= now else "valid"


@app.command("list")
def list_keys() -> None:
    """List every key that was ever given out, without its secret."""
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> list[KeyState]:
        async with opened(settings) as database:
            await require_head(database)
            async with database.read() as db:
                return await service.list_keys(db)

    now = SystemClock().now()
    head = ("ID", "NAME", "STATE", "CREATED", "EXPIRES", "REVOKED", "LAST USED", "SCOPES")
    rows = [
        (
            key.key_id.hex,
            key.name,
            state_of(key, now),
            *(
                plain(instant) or "-"
                for instant in (key.created_at, key.expires_at, key.revoked_at, key.last_used_at)
            ),
            " ".join(key.scopes),
        )
        for key in run(work())
    ]
    aligned([head, *rows])


@app.command()
def revoke(
    name_or_id: Annotated[str, typer.Argument(help="A name, for all its keys, or one key's id.")],
) -> None:
    """End a clinician's keys, or one of them, at once."""
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> tuple[int, int]:
        async with opened(settings) as database:
            await require_head(database)
            async with database.write() as db:
                return await service.revoke_keys(db, name_or_id, SystemClock())

    ended, found = run(work())
    if not found:
        raise fail(f"No key has the name or the id {name_or_id}. See: footing clinician list")
    before = f"; {found - ended} had been revoked before" if found > ended else ""
    typer.echo(f"Revoked {ended}{before}.")


def read_since(text: str | None) -> datetime.datetime | None:
    """Read a date, which begins at midnight UTC, or a time with its offset."""
    if text is None:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return found.replace(tzinfo=datetime.UTC)
    if found is None or found.tzinfo is None:
        raise fail("--since takes a date such as 2026-11-22, or a time such as 2026-11-22T10:00Z.")
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


def audit(
    since: Annotated[
        str | None, typer.Option(help="Not before this date (UTC) or time with offset.")
    ] = None,
    who: Annotated[
        str | None,
        typer.Option(help="A key's name or id, or the subject of the issuer's user."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = "table",
) -> None:
    """Print what clinicians have asked, oldest first."""
    start = read_since(since)
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> list[dict[str, Any]]:
        async with opened(settings) as database:
            await require_head(database)
            async with database.read() as db:
                return [
                    {column: plain(entry[column]) for column in COLUMNS}
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
