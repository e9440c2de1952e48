"""The benchmark measures a row against its limit, and keeps the table of all rows. Not a speed."""

import os
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench import __main__ as command
from bench import load, results
from bench.rows import LIMIT, PRODUCT, ROWS
from tests.contract.test_documents import ROOT

NAME = "not-modified"


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command.bench)
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "results.md"
    monkeypatch.setattr(results, "RESULTS", file)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None)
    return file


@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk (apt-get install wrk)")
def test_a_row_is_measured_against_its_limit(table: Path) -> None:
    code, printed = run(NAME, "--rounds", "1", "--seconds", "1")
    assert code == 0, printed
    *_, heading, rule, line = table.read_text("utf-8").splitlines()
    assert line in printed
    cells = dict(zip(results.COLUMNS, line.strip("| ").split(" | "), strict=False))
    assert heading.count("|") == rule.count("|") == line.count("|")
    assert cells["row"] == NAME
    for column in ("median of the limit", "median of Footing"):
        assert re.fullmatch(r"[\d,]+(\.\d+)? req/s", cells[column])
    assert re.fullmatch(r"\*\*\d+\.\d{3}\*\*", cells["ratio"])
    for secret in (str(ROOT), str(Path.home()), "/tmp"):  # noqa: S108  # looked for, not used
        assert secret not in table.read_text("utf-8")


def test_rows_that_were_not_measured_keep_their_lines(table: Path) -> None:
    first, second = ROWS[:2]
    for row, rate in ((second, 10.0), (first, 20.0), (second, 30.0)):
        results.write([results.Result(row, {LIMIT: [rate], PRODUCT: [rate / 2]})])
    lines = [line for line in table.read_text("utf-8").splitlines() if "**0.500**" in line]
    assert [line.split(" | ")[0] for line in lines] == [f"| {first.name}", f"| {second.name}"]
    assert " | 30.00 req/s | " in lines[1]


def test_without_wrk_it_says_what_to_install(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    code, printed = run(NAME)
    assert code == 1
    assert load.WRK_MISSING in printed
    assert not table.exists()


def test_an_unknown_row_is_refused_with_those_that_exist() -> None:
    code, printed = run("routines")
    assert code == 2
    assert "routines" in printed
    assert all(row.name in printed for row in ROWS)
