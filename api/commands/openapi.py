"""`footing openapi`: the document that clients are generated from."""

import json
import sys

import typer

from api.commands.console import read_settings
from api.commands.serve import built

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    document = built(read_settings()).openapi()
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
