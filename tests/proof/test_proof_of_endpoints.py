"""All tests of the clinicians' endpoints, over HTTP."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.aggregates.estimates import Status
from api.core.config import Settings
from api.main import create_app
from api.publications.noise import OpenDpNoise
from tests.aggregates.attacked_service import AttackedService, attacked_service
from tests.aggregates.attacks import ATTACKS, accuracy, naive_for
from tests.aggregates.forms import ask, forms_that_agree
from tests.aggregates.neighbouring_servers import neighbouring_servers
from tests.aggregates.published import DAY, person, real_keys
from tests.aggregates.surface import differences, surface
from tests.aggregates.test_attacks import BOUND, coins
from tests.proof.table import ProofTable
from tests.publications.population import MONDAY
from tests.publications.test_publishing import practising, publish, settle
from tests.support import databases
from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock

pytestmark = [pytest.mark.proof, pytest.mark.full_only]

WEEKS = 240
REPEATS = 20
Z = 3.29


def test_suppression_is_the_same_in_every_form(
    database_url: str, tmp_path: Path, proof: ProofTable
) -> None:
    """Every table of every released period, with real noise, in JSON, CSV and both FHIRs."""
    people = [practising(age_band="age_40_49") for _ in range(70)]
    people += [person(age_band="age_18_29", routine="massage-only") for _ in range(75)]
    settle(database_url, *people)
    publish(
        database_url,
        tmp_path,
        MONDAY + 42 * DAY,
        noise=OpenDpNoise(),
        keys=real_keys(database_url),
    )
    clock = FakeClock()
    settings = Settings(database_url=database_url, rate_limit_clinician="1000000/minute")
    agreed: Counter[Status] = Counter()
    with TestClient(create_app(settings, clock)) as client:
        reader = Clinician(client, give_key(database_url, clock))
        index = ask(reader, "/v1/aggregates").json()
        for period in index["periods"]:
            for table in index["tables"]:
                if table["period_kind"] == period["period_kind"]:
                    agreed += forms_that_agree(
                        reader,
                        f"/v1/aggregates/tables/{table['table']}",
                        period_kind=period["period_kind"],
                        starts_on=period["starts_on"],
                    )
    counted = ", ".join(f"{many:,} {status}" for status, many in sorted(agreed.items()))
    proof.add("T7", "figures in JSON, CSV, FHIR R4B and R5", counted, "the same in all")
    assert agreed.keys() >= {Status.OK, Status.SUPPRESSED, Status.NOT_RELEASED}


@pytest.mark.parametrize("kind", databases.KINDS)
def test_two_servers_that_differ_by_a_participant(
    kind: str, templates: Path, tmp_path: Path, proof: ProofTable
) -> None:
    with neighbouring_servers(kind, templates, tmp_path) as servers:
        one = surface(servers.without, servers.key)
        other = surface(servers.having, servers.key)
    differing = differences(one, other)
    proof.add(
        "T8",
        f"{kind}: {len(one):,} calls to two servers that differ by one participant",
        f"{len(differing)} differ by a byte",
        "0",
    )
    assert not differing


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
        made.repeats = REPEATS
        yield made


@pytest.mark.parametrize("name", list(ATTACKS))
def test_attacks(
    name: str, service: AttackedService, secrets: list[bool], proof: ProofTable
) -> None:
    broken = accuracy(naive_for(name, secrets), secrets, ATTACKS[name])
    here = accuracy(service, secrets, ATTACKS[name])
    room = Z * math.sqrt(0.25 / WEEKS)
    proof.add(
        "T9",
        f"{name}, {WEEKS} secrets",
        f"right {100 * here:.1f} %; against a naive service {100 * broken:.1f} %",
        f"≤ {100 * BOUND:.1f} % + {100 * room:.1f} by chance; naive > 95 %",
    )
    assert broken > 0.95
    assert here <= BOUND + room


def test_no_question_has_two_answers(service: AttackedService, proof: ProofTable) -> None:
    several = [question for question, found in service.answers.items() if len(found) > 1]
    what = f"{len(service.answers):,} questions, asked before, amid and after the attacks"
    proof.add("T9", what, f"{len(several)} with two answers", "0")
    assert len(service.answers) >= WEEKS
    assert not several
