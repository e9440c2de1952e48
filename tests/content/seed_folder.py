"""A copy of the seed folder that a test may change, and the real commands for it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from api.commands.app import app
from api.core.config import SEED_FOLDER
from tests.support.server import footing


class SeedFolder:
    """Places are named as in `footing check`: a file and a JSON Pointer."""

    def __init__(self, path: Path) -> None:
        shutil.copytree(SEED_FOLDER, path)
        self.path = path

    def review_all(self) -> None:
        """Date every review so that `footing check` gives the same result on any day."""
        for file in self.path.rglob("*.json"):
            text = file.read_text("utf-8")
            text = re.sub(r'("reviewed_at": )"[0-9-]+"', r'\1"2020-01-01"', text)
            text = re.sub(r'("due_at": )"[0-9-]+"', r'\1"2999-12-31"', text)
            file.write_text(text, "utf-8")

    def read(self, file: str) -> Any:
        return json.loads((self.path / file).read_text("utf-8"))

    def write(self, file: str, content: Any) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=2)
        self.write_bytes(file, text.encode())

    def write_bytes(self, file: str, content: bytes) -> None:
        (self.path / file).write_bytes(content)

    def put(self, file: str, pointer: str, value: Any) -> None:
        """Set a value; the index `-` appends to a list."""
        document = self.read(file)
        parent, key = parent_of(document, pointer)
        if key == "-":
            parent.append(value)
        else:
            parent[key] = value
        self.write(file, document)

    def drop(self, file: str, pointer: str) -> None:
        document = self.read(file)
        parent, key = parent_of(document, pointer)
        del parent[key]
        self.write(file, document)

    def drop_entry(self, file: str, entry_id: str) -> None:
        document = self.read(file)
        kept = [entry for entry in document if entry["id"] != entry_id]
        assert len(kept) == len(document) - 1
        self.write(file, kept)

    def replace(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text("utf-8")
        assert old in text
        (self.path / file).write_text(text.replace(old, new, 1), "utf-8")

    def remove(self, file: str) -> None:
        (self.path / file).unlink()

    def check(self) -> tuple[int, list[str]]:
        """Run `footing check`; return its exit code and all printed lines."""
        result = CliRunner().invoke(app, ["check", "--folder", str(self.path)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        printed, silent = result.stdout, result.stderr
        if result.exit_code != 0:
            printed, silent = silent, printed
        assert silent == ""
        return result.exit_code, printed.splitlines()

    def seed(self, database_url: str) -> subprocess.CompletedProcess[str]:
        """Run `footing seed` in its own process."""
        return footing(
            "seed", "--folder", str(self.path), database_url=database_url, folder=self.path
        )


def parent_of(document: Any, pointer: str) -> tuple[Any, Any]:
    """Return the object or list that contains the value at a JSON Pointer, and its key."""
    *path, last = pointer.removeprefix("/").split("/")
    for part in path:
        document = document[key_in(document, part)]
    return document, key_in(document, last)


def key_in(container: Any, part: str) -> str | int:
    return int(part) if isinstance(container, list) and part != "-" else part
