"""The noise: whole numbers from OpenDP, unpredictable, and as much of it as was promised."""

import ast
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.publications import cube, noise, publishing
from api.publications.budget import best_guess_percent
from api.publications.noise import OpenDpNoise
from tests.publications.population import STANDARD
from tests.publications.privacy_tests import Weaker, audit, distance, fit, mutants, worst_shifts

# So far from the claim that chance gets there once in a hundred thousand runs.
Z = 4.3
RUNS = 6000
NOISE_PATH = [Path(str(module.__file__)) for module in (cube, noise, publishing)]
PREDICTABLE = {"random", "numpy", "secrets", "time", "math", "statistics"}
FORKS = """
import os, random
random.seed(1)
from api.publications.noise import OpenDpNoise
noise = OpenDpNoise()
noise.draw([0], 144)
for child in range(4):
    if os.fork() == 0:
        print(noise.draw([0] * 20, 144), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def drawn() -> OpenDpNoise:
    return OpenDpNoise()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_best_attacker_learns_no_more_than_was_promised(
    database_url: str, drawn: OpenDpNoise
) -> None:
    """Of the person who moves a week furthest. The full audit: make proof."""
    claim = (2 * STANDARD.period("week").rho) ** 0.5
    shifts = worst_shifts(database_url)
    assert 0.97 * claim < distance(shifts) <= claim
    real = audit(drawn, shifts, claim, RUNS, Z)
    assert real.passed, real
    assert not audit(Weaker(drawn, 33), shifts, claim, RUNS, Z).passed
    uncapped = worst_shifts(database_url, mutants()["no session cap"])
    assert not audit(drawn, uncapped, claim, RUNS, Z).passed
    assert real.accuracy < best_guess_percent(claim**2 / 2) / 100 + 0.02


@pytest.mark.parametrize("scale", [15, 144, 756])
def test_mean_spread_and_tails_are_those_of_the_discrete_gaussian(
    drawn: OpenDpNoise, scale: int
) -> None:
    assert fit(drawn.draw, scale, 8000).worst < 4.9
    assert fit(Weaker(drawn, 80).draw, scale, 8000).worst > 4.9


def test_every_number_gets_noise_of_its_own_and_stays_whole(drawn: OpenDpNoise) -> None:
    values = drawn.draw([0] * 500, 756)
    assert {type(value) for value in values} == {int}
    assert len(set(values)) > 300


def test_a_seed_elsewhere_changes_nothing(drawn: OpenDpNoise) -> None:
    draws = []
    for _ in range(4):
        random.seed(1)
        draws.append(tuple(drawn.draw([0] * 20, 144)))
    assert len(set(draws)) == 4


def test_processes_that_fork_draw_each_its_own_noise() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", FORKS], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for _ in range(2)
    ]
    draws = [line for run in runs for line in run]
    assert len(draws) == len(set(draws)) == 8


def faults(source: str) -> Iterator[str]:
    """Find code that could make noise predictable, or involve fractions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in PREDICTABLE)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PREDICTABLE:
            yield str(node.module)
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"the fraction {node.value}"
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, (ast.Div, ast.Pow)):
            yield "a division"
        if isinstance(node, ast.Name) and node.id in {"float", "round", "Decimal", "Fraction"}:
            yield node.id
        if isinstance(node, ast.keyword) and node.arg == "seed":
            yield "a seed"


@pytest.mark.parametrize("path", NOISE_PATH, ids=lambda path: path.name)
def test_the_way_of_the_noise_knows_no_fraction_and_no_predictable_randomness(path: Path) -> None:
    assert list(faults(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "bad",
    [
        "import random",
        "from numpy.random import normal",
        "x = 0.5",
        "x = a / b",
        "x /= 2",
        "x = float(y)",
        "draw(seed=1)",
    ],
)
def test_what_must_not_be_there_would_be_found(bad: str) -> None:
    assert list(faults(bad))
