"""The command `footing`: everything that people run."""

import datetime
import json
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from api.commands import clinicians as clinicians_cli
from api.commands import demo as demo_cli
from api.commands import publish as publish_cli
from api.commands import rules as rules_cli
from api.commands.console import SeedFolder, fail, opened, read_settings, run, say, valid_or_fail
from api.content import checks as content_checks
from api.content import service
from api.content.signing import read_signer
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.core.turns import in_turn
from api.main import create_app
from api.migrations import migrate as bring_to_head
from api.migrations import require_head
from api.privacy.purge import Purged
from api.privacy.purge import purge as erase_unused
from api.triage.service import refuse_withdrawn, signed_in_force
from api.triage.vectors import vector_answers

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The open backend for apps that help people with back pain through their feet.",
)
app.add_typer(rules_cli.app, name="rules")
app.add_typer(clinicians_cli.app, name="clinician")
app.command("audit")(clinicians_cli.audit)
app.command()(publish_cli.publish)
app.command()(demo_cli.demo)


@app.command()
def check(folder: SeedFolder = None) -> None:
    """Explain every fault in the seed folder, by file and JSON Pointer."""
    catalogue, overdue = valid_or_fail(folder or read_settings().seed_folder)
    if overdue:
        raise fail("\n".join(map(str, overdue)))
    counts = content_checks.summary(catalogue)
    typer.echo(", ".join(f"{count} in {name}" for name, count in counts.items()))
    typer.echo("No faults.")


@app.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    settings = read_settings()
    set_up_logging(settings)

    async def work() -> None:
        async with opened(settings, patient=True) as database:
            await bring_to_head(database, say)

    run(work())
    typer.echo("The database is at the newest migration.")


@app.command()
def seed(
    folder: SeedFolder = None,
    signing_key: Annotated[
        Path | None,
        typer.Option(
            envvar="FOOTING_SIGNING_KEY",
            help="A PEM file with the Ed25519 private key to sign the rule set with.",
        ),
    ] = None,
) -> None:
    """Store the seed folder as a release and serve it; twice changes nothing."""
    settings = read_settings()
    set_up_logging(settings)
    try:
        sign = None if signing_key is None else read_signer(signing_key.read_bytes())
    except (OSError, ValueError) as error:
        raise fail(f"Can't sign with {signing_key}: {error}") from None
    catalogue, overdue = valid_or_fail(folder or settings.seed_folder, "; nothing was changed")
    for fault in overdue:
        typer.echo(f"Overdue: {fault}", err=True)

    async def work() -> tuple[str, bool]:
        async with opened(settings, patient=True) as database:
            await require_head(database)
            async with in_turn(database, "seed", say) as db:
                if sign is None and await signed_in_force(db):
                    message = (
                        "The rule set in force is signed: phones that check signatures would not "
                        "take up one without. Give --signing-key; nothing was changed."
                    )
                    raise NotReady(message)
                release, changed = await service.seed(
                    db, catalogue, SystemClock(), more=vector_answers, sign=sign
                )
                await refuse_withdrawn(db, release.rule_set_hash)
            return release.hash, changed

    name, changed = run(work())
    typer.echo(f"{'Activated' if changed else 'Already active:'} release {name}")


def built(settings: Settings) -> FastAPI:
    """Make the app, or say in one line why it can't be made of these settings."""
    try:
        return create_app(settings)
    except NotReady as not_ready:
        raise fail(str(not_ready)) from None


def require_free(host: str, port: int) -> None:
    """Refuse an address that can't be listened on, before a server starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        # Behind the reason Python repeats the address.
        reason = str(error.strerror).partition(" (")[0]
        raise fail(f"Can't listen on {host}, port {port}: {reason}") from None


async def require_ready(settings: Settings) -> None:
    """Refuse to serve what can't be served, before a server starts."""
    async with opened(settings) as database:
        await require_head(database)
        async with database.read() as db:
            if await service.active_hash(db) is None:
                message = "There is no content in the database yet. Run: footing seed"
                raise NotReady(message)
        mended = await publish_cli.mend(settings, database)
        if mended.log_is_not_ours:
            say(mended.log_is_not_ours)


def serving_app() -> object:
    """Make the app in a worker process."""
    settings = Settings()
    set_up_logging(settings)
    return create_app(settings)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1, max=64)] = 1,
) -> None:
    """Serve the API."""
    settings = read_settings()
    set_up_logging(settings)
    built(settings)
    require_free(host, port)
    run(require_ready(settings))
    uvicorn.run(
        "api.commands.app:serving_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        # By name: unpickling the class would import the app before a worker answers its parent.
        http="api.http.wire:WireProtocol",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=20,
    )


@app.command()
def purge(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; erase nothing.")] = False,
) -> None:
    """Erase enrolments that were never used, and hashes of tokens erased long ago."""
    settings = read_settings()
    set_up_logging(settings)
    days = settings.unused_enrolment_days

    async def work() -> Purged:
        async with opened(settings, patient=True) as database:
            await require_head(database)
            unused_for = datetime.timedelta(days=days)
            return await erase_unused(database, SystemClock(), unused_for, dry_run=dry_run, say=say)

    purged = run(work())
    would = "Would erase" if dry_run else "Erased"
    typer.echo(
        f"{would} {purged.enrolments} enrolments older than {days} days that were never used, "
        f"and {purged.erased_tokens} hashes of tokens erased long ago."
    )


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    document = built(read_settings()).openapi()
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    app()
