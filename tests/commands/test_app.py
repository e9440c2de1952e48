"""The command `footing` lists its commands without importing them."""

import json
import subprocess
import sys

import pytest
import typer

from api.commands.app import COMMANDS, LazyCommand, app

HEAVY = {"api.main", "fastapi", "sqlalchemy", "pydantic", "opendp", "uvicorn"}
LISTING = """
import json, sys
from api.commands.app import app
try:
    app(["--help"])
except SystemExit:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def test_help_imports_nothing_of_the_application() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTING], capture_output=True, text=True, check=True, timeout=60
    )
    assert all(name in done.stdout for name in COMMANDS)
    assert not HEAVY & set(json.loads(done.stderr))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_agrees_with_the_list(name: str) -> None:
    (listed,) = [
        command
        for command in typer.main.get_group(app).commands.values()
        if isinstance(command, LazyCommand) and command.name == name
    ]
    command = listed.load()
    first_line, _, _ = (command.help or "").partition("\n")
    assert first_line == listed.help
    # Options of the command's own, and none that typer adds to every app.
    assert not [parameter for parameter in command.params if "completion" in (parameter.name or "")]
