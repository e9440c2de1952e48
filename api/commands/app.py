"""The command `footing`. Each command is imported when it runs, so that `--help` is quick."""

import gc
import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# The name of each command's module, and the first line of its help.
COMMANDS = {
    "migrate": "Bring the database to the newest migration.",
    "check": "List every fault in the seed folder, by file and JSON Pointer.",
    "seed": "Store the seed folder as a release and activate it; repeating this changes nothing.",
    "serve": "Serve the API.",
    "publish": "Close every period that is due: its figures with noise, once and permanently.",
    "purge": "Erase enrolments that were never used, and hashes of tokens erased long ago.",
    "rules": "Read, compare and withdraw rule sets.",
    "clinician": "Keys of clinicians, who read aggregates.",
    "audit": "Print the queries of clinicians, oldest first.",
    "demo": "Fill an empty database with synthetic users and publish their figures.",
    "openapi": "Print the OpenAPI document.",
}


class LazyCommand(TyperCommand):
    """Name and help of a command whose module is not imported yet."""

    def load(self) -> TyperCommand | TyperGroup:
        """Import the command."""
        # Hardly anything of what imports make is garbage, and looking for it takes a fifth of them.
        gc.disable()
        try:
            module = importlib.import_module(f"api.commands.{self.name}")
        finally:
            gc.enable()
        command = typer.main.get_command(module.app)
        assert isinstance(command, TyperCommand | TyperGroup)  # noqa: S101  # typer's own types
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Import the command and hand over to it."""
        return self.load().make_context(info_name, args, parent, **extra)


class LazyGroup(TyperGroup):
    """All commands, none of them imported."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: LazyCommand(name, help=text) for name, text in COMMANDS.items()}


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def footing() -> None:
    """Run the open backend for apps that help people with back pain through their feet."""


if __name__ == "__main__":
    app()
