"""`footing seed`: a seed folder becomes the release that is served."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.console import fail, notify, opened, read_settings, run
from api.commands.seed_folder import SeedFolder, valid_or_fail
from api.content import service
from api.content.signing import read_signer
from api.core.clock import SystemClock
from api.core.errors import NotReady
from api.core.locks import job_lock
from api.core.logging import set_up_logging
from api.migrations import require_head
from api.triage.service import refuse_withdrawn, signed_in_force
from api.triage.vectors import vector_answers

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    """Store the seed folder as a release and activate it; repeating this changes nothing."""
    settings = read_settings()
    set_up_logging(settings)
    try:
        sign = None if signing_key is None else read_signer(signing_key.read_bytes())
    except (OSError, ValueError) as error:
        raise fail(f"Cannot sign with {signing_key}: {error}") from None
    catalogue, overdue = valid_or_fail(folder or settings.seed_folder, "; nothing was changed")
    for fault in overdue:
        typer.echo(f"Overdue: {fault}", err=True)

    async def work() -> tuple[str, bool]:
        async with opened(settings, patient=True) as database:
            await require_head(database)
            async with job_lock(database, "seed", notify) as db:
                if sign is None and await signed_in_force(db):
                    message = (
                        "The rule set in force is signed: devices that check signatures would"
                        " not accept an unsigned one. Use --signing-key; nothing was changed."
                    )
                    raise NotReady(message)
                release, changed = await service.seed(
                    db, catalogue, SystemClock(), more=vector_answers, sign=sign
                )
                await refuse_withdrawn(db, release.rule_set_hash)
            return release.hash, changed

    name, changed = run(work())
    typer.echo(f"{'Activated' if changed else 'Already active:'} release {name}")
