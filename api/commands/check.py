"""`footing check`: the faults of a seed folder."""

import typer

from api.commands.console import fail, read_settings
from api.commands.seed_folder import SeedFolder, valid_or_fail
from api.content.checks import summary

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def check(folder: SeedFolder = None) -> None:
    """List every fault in the seed folder, by file and JSON Pointer."""
    catalogue, overdue = valid_or_fail(folder or read_settings().seed_folder)
    if overdue:
        raise fail("\n".join(map(str, overdue)))
    counts = summary(catalogue)
    typer.echo(", ".join(f"{count} in {name}" for name, count in counts.items()))
    typer.echo("No faults.")
