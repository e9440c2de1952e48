"""The attacks that break naive figures get nowhere here, over HTTP. All of it: `make proof`."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.publications.budget import best_guess_percent
from tests.aggregates.attacked_service import AttackedService, attacked_service
from tests.aggregates.attacks import ATTACKS, accuracy, in_cell, naive_for
from tests.publications.population import STANDARD
from tests.support import databases

WEEKS = 30
BOUND = best_guess_percent(STANDARD.period("week").rho) / 100
# What an attacker may be right by chance, in so few weeks.
Z = 4
ROOM = Z * math.sqrt(0.25 / WEEKS)


def coins(many: int) -> list[bool]:
    """Draw secrets that no attacker knows; half of them are yes, so that a habit wins nothing."""
    drawn = [True] * (many // 2) + [False] * (many - many // 2)
    random.SystemRandom().shuffle(drawn)
    return drawn


@pytest.fixture(scope="module")
def secrets() -> list[bool]:
    return coins(WEEKS)


@pytest.fixture(scope="module")
def service(
    templates: Path, tmp_path_factory: pytest.TempPathFactory, secrets: list[bool]
) -> Iterator[AttackedService]:
    folder = tmp_path_factory.mktemp("attacked")
    with (
        databases.fresh_database("sqlite", templates, folder) as url,
        attacked_service(url, folder, secrets) as made,
    ):
        yield made


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_that_breaks_a_naive_service_is_a_guess_here(
    name: str, service: AttackedService, secrets: list[bool]
) -> None:
    assert accuracy(naive_for(name, secrets), secrets, ATTACKS[name]) > 0.95
    assert accuracy(service, secrets, ATTACKS[name]) <= BOUND + ROOM


def test_repeated_queries_return_identical_responses(service: AttackedService) -> None:
    """Whatever sybils, victims and the publisher do in between."""
    for week in range(WEEKS):
        in_cell(service, week)
    service.add_sybil(0)
    assert service.publish() == []
    for week in range(WEEKS):
        in_cell(service, week)
    assert len(service.answers) >= WEEKS
    assert not [question for question, found in service.answers.items() if len(found) > 1]


def test_windows_and_totals_that_could_be_subtracted_are_not_offered(
    service: AttackedService,
) -> None:
    service.refused.clear()
    ATTACKS["differencing"](service, 0)
    assert service.refused == ["period_not_aligned"]
    ATTACKS["complementary"](service, 0)
    assert service.refused == ["period_not_aligned", "not_offered"]
