"""`footing clinician`: keys for reading aggregates."""

import datetime
import re
from typing import Annotated

import typer

from api.clinicians import service
from api.clinicians.identity import READ_AGGREGATES, Scope
from api.clinicians.service import ClinicianKeyState
from api.commands.console import fail, opened, read_settings, run
from api.commands.printing import aligned, plain
from api.core.clock import SystemClock
from api.core.logging import set_up_logging
from api.migrations import require_head

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keys of clinicians, who read aggregates.",
)

# A spreadsheet runs a name that starts with a sign as a formula.
NAME = re.compile(r"^\w[^\x00-\x1f\x7f]{0,99}\Z")
LONGEST_DAYS = 366


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The name of the key; shown in the audit log.")],
    days: Annotated[int, typer.Option(help="Days until it expires.", min=1, max=LONGEST_DAYS)],
    scope: Annotated[Scope, typer.Option(help="What it permits.")] = READ_AGGREGATES,
) -> None:
    """Issue a key and print it, only now, on standard output."""
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


def state_of(key: ClinicianKeyState, now: datetime.datetime) -> str:
    """Return the state of a key in one word."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at <= now else "valid"


@app.command("list")
def list_keys() -> None:
    """List all keys ever issued, without their secrets."""
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> list[ClinicianKeyState]:
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
    """Revoke all keys of a clinician, or one key, immediately."""
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
