"""What lint must find, and what it covers."""

import inspect
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from api.core.config import Settings
from api.http.deps import open_db, open_read_db
from api.main import create_app

ROOT = Path(__file__).parents[2]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))[
    "tool"
]["importlinter"]["contracts"]
QUERY = """
from sqlmodel import col, select
from api.journal.models import ExerciseSession
right = select(ExerciseSession).where(col(ExerciseSession.started_at).is_not(None))
wrong = select(ExerciseSession).where(col(ExerciseSession.started_on).is_not(None))
"""


@pytest.mark.lint
def test_a_misspelt_column_is_found_by_the_type_checker(tmp_path: Path) -> None:
    file = tmp_path / "query.py"
    file.write_text(QUERY, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--follow-imports=silent"]
    done = subprocess.run(
        [*mypy, str(file)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    (error,) = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert '"type[ExerciseSession]" has no attribute "started_on"' in error


@pytest.mark.parametrize("forbidden", [["fastapi", "starlette"], ["sqlalchemy", "sqlmodel"]])
def test_no_module_is_outside_of_the_contracts_about_libraries(forbidden: list[str]) -> None:
    (contract,) = [each for each in CONTRACTS if each.get("forbidden_modules") == forbidden]
    assert contract["source_modules"] == ["api"]
    assert contract.get("unmatched_ignore_imports_alerting", "error") == "error"


def dependencies(dependant: Dependant) -> Iterator[Any]:
    for below in dependant.dependencies:
        yield below.call
        yield from dependencies(below)


def test_no_handler_or_dependency_runs_in_a_thread() -> None:
    """FastAPI runs each synchronous one in a thread of its pool."""
    routes = list(iter_route_contexts(create_app(Settings()).routes))
    assert len(routes) > 50
    calls = {
        call
        for route in routes
        if isinstance(route.original_route, APIRoute)
        for call in [route.endpoint, *dependencies(route.dependant)]
    }
    assert {open_db, open_read_db} <= calls
    assert not [
        call.__name__
        for call in calls
        if inspect.isfunction(call)
        and not inspect.iscoroutinefunction(call)
        and not inspect.isasyncgenfunction(call)
    ]
