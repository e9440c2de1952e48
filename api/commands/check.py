"""`footing check`: the faults of a seed folder, or of an installation in operation."""

from typing import Annotated

import typer

from api.commands.console import fail, opened, read_settings, run
from api.commands.operations import Finding, findings
from api.commands.seed_folder import SeedFolder, valid_or_fail
from api.content.checks import summary
from api.core.clock import SystemClock
from api.core.config import Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def all_findings(settings: Settings) -> list[Finding]:
    """Look at the installation of these settings."""
    async with opened(settings) as database:
        return [found async for found in findings(settings, database, SystemClock())]


@app.command()
def check(
    folder: SeedFolder = None,
    *,
    operations: Annotated[
        bool,
        typer.Option(
            "--operations",
            help="Check the installation instead: database, content, publication log, "
            "publications. Changes nothing.",
        ),
    ] = False,
) -> None:
    """List every fault in the seed folder, by file and JSON Pointer."""
    if operations:
        found = run(all_findings(read_settings()))
        for finding in found:
            typer.echo(f"{'FAULT' if finding.is_fault else 'ok':5} {finding.text}")
        if any(finding.is_fault for finding in found):
            raise typer.Exit(1)
        return
    catalogue, overdue = valid_or_fail(folder or read_settings().seed_folder)
    if overdue:
        raise fail("\n".join(map(str, overdue)))
    counts = summary(catalogue)
    typer.echo(", ".join(f"{count} in {name}" for name, count in counts.items()))
    typer.echo("No faults.")
