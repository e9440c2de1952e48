"""The benchmark measures a row against its limit, and keeps the table of all rows. Not a speed."""

import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from bench import __main__ as command
from bench import load, results
from bench.rows import LIMIT, PRODUCT, ROWS
from bench.stage import Stage
from tests.contract.test_documents import ROOT
from tests.support import databases

NAME = "not-modified"
SVG = "{http://www.w3.org/2000/svg}"


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
def test_a_row_is_measured_against_its_limit(
    table: Path, templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.fresh_database("sqlite", templates, tmp_path) as url:
        monkeypatch.setattr(Stage, "database", lambda *_: url)
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


def test_growth_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "growth.svg"
    monkeypatch.setattr("bench.results.PLOT", file)
    (row,) = [each for each in ROWS if each.name == "own-progress-sqlite"]
    values = {LIMIT: [1.0, 3.0, 2.0], "100": [20.0], PRODUCT: [200.0]}
    sizes = {LIMIT: 10, "100": 100, PRODUCT: 1000}
    results.write_plot([results.Result(row, values, sizes=sizes)])
    plot = ElementTree.parse(file).getroot()  # noqa: S314  # our own
    (line,) = [each for each in plot.iter(f"{SVG}polyline") if each.get("stroke") != "#ddd"]
    assert len(str(line.get("points")).split()) == len(sizes)
    assert row.name in [text.text for text in plot.iter(f"{SVG}text")]


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
