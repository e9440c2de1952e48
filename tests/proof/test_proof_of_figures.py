"""All tests of the anonymised figures: `make proof` runs them and prints their table.

It takes minutes, and its statistics are left out of the ordinary run. What can be proved without
statistics is proved there and again here, with more cases.
"""

import math
from collections.abc import Iterator

import pytest

from api.aggregates.estimates import PainEstimateRange, Quantity, estimates, noisy
from api.publications.accounting import Accountant
from api.publications.budget import best_guess_percent
from api.publications.measures import Measure, Statistic
from api.publications.noise import OpenDpNoise
from api.publications.policy import PublicationPolicy
from tests.proof.table import ProofTable
from tests.publications.population import PILOT, STANDARD
from tests.publications.privacy_tests import Weaker, audit, distance, fit, mutants, worst_shifts
from tests.publications.sensitivity import broken, worst_distances

pytestmark = [pytest.mark.proof, pytest.mark.full_only]

RUNS = 60_000
# One false alarm in a thousand runs of one audit: an alarm is looked into, not muted.
Z = 3.29
CELLS = (50, 200, 1_000, 10_000)
REPEATS = 600
PAIN_SPREAD = 1.6
TRUE_PAIN, TRUE_SHARE = -1.1, 0.6


@pytest.fixture(scope="module")
def noise() -> OpenDpNoise:
    return OpenDpNoise()


def test_sensitivity_on_neighbouring_databases(database_url: str, proof: ProofTable) -> None:
    worst = worst_distances(database_url, trials=200)
    engine = database_url.partition(":")[0]
    for (period, table, measure), (far, bound) in sorted(worst.items()):
        name = f"{period}, {table}: {measure}"
        proof.add("T1", f"{engine} {name}", f"{math.sqrt(far):.2f}", f"≤ {bound}")
    assert not broken(worst)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", list(mutants()))
def test_sensitivity_of_mutants(database_url: str, name: str, proof: ProofTable) -> None:
    found = broken(worst_distances(database_url, trials=0, policies=[mutants()[name]]))
    proof.add("T1", f"mutant: {name}", f"caught by {', '.join(sorted(found))}", "caught")
    assert found


@pytest.mark.parametrize("policy", [STANDARD, PILOT], ids=lambda policy: policy.profile)
def test_budget(policy: PublicationPolicy, proof: ProofTable) -> None:
    Accountant().check(policy)
    for period in policy.periods:
        guess = best_guess_percent(period.rho)
        row = f"rho {period.rho:.4f}, epsilon {period.epsilon:.2f}, best guess {guess:.1f} %"
        proof.add("T2", f"{policy.profile} {period.kind}", row, "OpenDP's map")
    proof.add(
        "T2",
        f"{policy.profile}: any 365 days with a re-run",
        f"rho {policy.year.rho:.4f}, epsilon {policy.year.epsilon:.2f}",
        f"rho ≤ {policy.year.ceiling_rho}",
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_audit(database_url: str, noise: OpenDpNoise, proof: ProofTable) -> None:
    """The optimal attacker against the person who moves a week furthest."""
    claim = math.sqrt(2 * STANDARD.period("week").rho)
    shifts = worst_shifts(database_url)
    bound = best_guess_percent(claim**2 / 2)
    for attempt in range(2):  # a rare false alarm is tried once more
        real = audit(noise, shifts, claim, RUNS, Z)
        if real.passed:
            break
        assert attempt == 0, real
    measured = f"mu {real.mu:.4f} (at least {real.lower:.4f})"
    proof.add("T3", f"week, {2 * RUNS:,} publications", measured, f"mu ≤ {claim:.4f}")
    right = f"{100 * real.accuracy:.2f} %"
    proof.add("T3", "best attacker is right", right, f"≤ {bound:.2f} % + chance")
    assert real.accuracy <= bound / 100 + Z * math.sqrt(0.25 / (2 * RUNS))
    for percent in (50, 70):
        found = audit(Weaker(noise, percent), shifts, claim, RUNS, Z)
        measured = f"mu {found.mu:.4f} (at least {found.lower:.4f})"
        proof.add("T3", f"mutant: noise × {percent / 100}", measured, "caught")
        assert not found.passed
    for name, policy in mutants().items():
        found = audit(noise, worst_shifts(database_url, policy), claim, RUNS, Z)
        measured = f"mu {found.mu:.4f} (at least {found.lower:.4f})"
        proof.add("T3", f"mutant: {name}", measured, "caught")
        assert not found.passed
    assert distance(shifts) <= claim


def every_scale() -> Iterator[tuple[str, int]]:
    for policy in (STANDARD, PILOT):
        for period in policy.periods:
            for measure in period.measures:
                if measure.measure is not Measure.PAIN_SQUARES:
                    yield f"{policy.profile} {period.kind} {measure.measure}", measure.scale


def test_goodness_of_fit(noise: OpenDpNoise, proof: ProofTable) -> None:
    scales = {scale: name for name, scale in every_scale()}
    worst = {scale: fit(noise.draw, scale, 100_000).worst for scale in scales}
    proof.add(
        "T6",
        f"mean, spread and tails of {len(worst)} scales, 100,000 draws each",
        f"largest deviation {max(worst.values()):.1f} standard errors",
        "≤ 4.9",
    )
    assert max(worst.values()) <= 4.9
    assert fit(Weaker(noise, 95).draw, 144, 100_000).worst > 4.9


@pytest.mark.parametrize("people", CELLS)
@pytest.mark.parametrize(
    ("policy", "kind", "place"),
    [(STANDARD, "week", 0), (STANDARD, "cycle", 0), (PILOT, "quarter", 0)],
    ids=["week", "cycle", "quarter"],
)
def test_accuracy(
    noise: OpenDpNoise,
    proof: ProofTable,
    people: int,
    policy: PublicationPolicy,
    kind: str,
    place: int,
) -> None:
    """What a reader of a cell of so many people gets, drawn through OpenDP."""
    scales = {m.measure: m.scale for m in policy.period(kind).tables[place].measures}
    met, scored = round(TRUE_SHARE * people), people
    per_head = 4 * policy.period(kind).days // 7
    exact = {
        Statistic.PRACTISED: (7 * people, Measure.PEOPLE),
        Statistic.DOSE_MET: (5 * (2 * met - people), Measure.PEOPLE),
        Statistic.SCORED: (5 * (2 * scored - people), Measure.PEOPLE),
        Statistic.PAIN: (round(10 * (TRUE_PAIN + 1) * scored), Measure.PAIN),
        Statistic.SESSIONS: (per_head * people, Measure.SESSIONS),
    }
    drawn = {
        name: noise.draw([value] * REPEATS, scales[measure])
        for name, (value, measure) in exact.items()
    }
    truth = {
        Quantity.PEOPLE: people,
        Quantity.ADHERENCE: met / people,
        Quantity.SESSIONS: per_head * people,
        Quantity.PAIN_CHANGE: TRUE_PAIN,
    }
    errors: dict[Quantity, list[float]] = {name: [] for name in truth}
    inside: dict[Quantity, int] = dict.fromkeys(truth, 0)
    pain_range = PainEstimateRange(-5.0, 3.0)
    for run in range(REPEATS):
        cell = {name: noisy(name, drawn[name][run], scales[m]) for name, (_, m) in exact.items()}
        for name, said in estimates(cell, pain_range).items():
            if said.value is None or said.lower is None or said.upper is None:
                continue
            errors[name].append(said.value - truth[name])
            inside[name] += said.lower <= truth[name] <= said.upper

    def rmse(name: Quantity) -> float:
        return math.sqrt(math.fsum(e * e for e in errors[name]) / max(len(errors[name]), 1))

    shown = {name: len(each) / REPEATS for name, each in errors.items()}
    proof.add(
        "accuracy",
        f"{policy.profile} {kind}, {people:,} people",
        f"people ± {100 * rmse(Quantity.PEOPLE) / people:.1f} %, "
        f"sessions ± {100 * rmse(Quantity.SESSIONS) / (per_head * people):.1f} %, "
        f"adherence ± {100 * rmse(Quantity.ADHERENCE):.1f} points, "
        f"pain ± {rmse(Quantity.PAIN_CHANGE):.2f} (noise alone)",
        f"shown {100 * shown[Quantity.PEOPLE]:.0f} %",
    )
    if people >= 1000:
        assert shown[Quantity.PEOPLE] == 1
        covered = inside[Quantity.PEOPLE] / REPEATS
        assert abs(covered - 0.95) < 4.5 * math.sqrt(0.05 * 0.95 / REPEATS)
        # The stated error of pain also holds the difference between people, which is not drawn.
        assert inside[Quantity.PAIN_CHANGE] / REPEATS > 0.92
