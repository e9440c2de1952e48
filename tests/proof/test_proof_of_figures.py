"""All tests of the anonymised figures: `make proof` runs them and prints their table.

It takes minutes, and its statistics are left out of the ordinary run. What can be proved without
statistics is proved there and again here, with more cases.
"""

import math
from collections import Counter
from collections.abc import Iterator

import pytest

from api.aggregates.estimates import Quantity, estimates, noisy
from api.aggregates.service import limits_of
from api.publications.accounting import Accountant
from api.publications.budget import best_guess_percent
from api.publications.measures import STATISTICS, Measure, Statistic, TableName
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
TRUE_PAIN, TRUE_LEVEL, TRUE_SHARE = -1.1, 4.5, 0.6
# As many as a table by routine, time since joining or age has, about.
GROUPS = 8


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
    ("policy", "kind", "name"),
    [
        (STANDARD, "week", TableName.ROUTINE),
        (STANDARD, "cycle", TableName.ROUTINE),
        (STANDARD, "cycle", TableName.TENURE),
        (STANDARD, "quarter", TableName.AGE),
        (PILOT, "quarter", TableName.ALL),
    ],
    ids=["week", "cycle", "tenure", "age", "pilot"],
)
def test_accuracy(
    noise: OpenDpNoise,
    proof: ProofTable,
    people: int,
    policy: PublicationPolicy,
    kind: str,
    name: TableName,
) -> None:
    """What a reader of a cell of so many people gets, drawn through OpenDP."""
    period = policy.period(kind)
    (table,) = (table for table in period.tables if table.table is name)
    scales = {s: m.scale for m in table.measures for s in STATISTICS[m.measure]}
    met, scored = round(TRUE_SHARE * people), people
    per_head = 4 * period.days // 7
    exact = {
        Statistic.PRACTISED: 7 * people,
        Statistic.DOSE_MET: 5 * (2 * met - people),
        Statistic.SCORED: 5 * (2 * scored - people),
        Statistic.PAIN: round(10 * (TRUE_PAIN + 1) * scored),
        Statistic.PAIN_LEVEL: round(10 * (TRUE_LEVEL - 5) * scored),
        Statistic.SESSIONS: per_head * people,
    }
    drawn = {
        statistic: noise.draw([value] * REPEATS, scales[statistic])
        for statistic, value in exact.items()
        if statistic in scales
    }
    truth: dict[Quantity, float] = {
        Quantity.PEOPLE: people,
        Quantity.ADHERENCE: met / people,
        Quantity.SESSIONS: per_head * people,
        Quantity.PAIN_CHANGE: TRUE_PAIN,
        Quantity.PAIN_LEVEL: TRUE_LEVEL,
    }
    errors: dict[Quantity, list[float]] = {}
    inside: Counter[Quantity] = Counter()
    cells = 1 if name is TableName.ALL else GROUPS
    for run in range(REPEATS):
        cell = {s: noisy(s, values[run], scales[s]) for s, values in drawn.items()}
        for quantity, said in estimates(cell, limits_of(policy, period), cells=cells).items():
            found = errors.setdefault(quantity, [])
            if said.value is None or said.lower is None or said.upper is None:
                continue
            found.append(said.value - truth[quantity])
            inside[quantity] += said.lower <= truth[quantity] <= said.upper

    def rmse(quantity: Quantity) -> float:
        found = errors[quantity]
        return math.sqrt(math.fsum(e * e for e in found) / max(len(found), 1))

    written = {
        Quantity.PEOPLE: lambda error: f"people ± {100 * error / people:.1f} %",
        Quantity.SESSIONS: lambda error: f"sessions ± {100 * error / (per_head * people):.1f} %",
        Quantity.ADHERENCE: lambda error: f"adherence ± {100 * error:.1f} points",
        Quantity.PAIN_CHANGE: lambda error: f"pain ± {error:.2f}",
        Quantity.PAIN_LEVEL: lambda error: f"level of pain ± {error:.2f}",
    }
    proof.add(
        "accuracy",
        f"{policy.profile} {kind} by {name}, {people:,} people",
        ", ".join(
            f"{written[quantity](rmse(quantity))} (shown {100 * len(found) / REPEATS:.0f} %)"
            for quantity, found in errors.items()
        ),
        "noise alone",
    )
    if people >= 1000:
        assert len(errors[Quantity.PEOPLE]) == REPEATS
        covered = inside[Quantity.PEOPLE] / REPEATS
        assert abs(covered - 0.95) < 4.5 * math.sqrt(0.05 * 0.95 / REPEATS)
        # The stated error of pain also holds the difference between people, which is not drawn.
        for quantity in errors.keys() & {Quantity.PAIN_CHANGE, Quantity.PAIN_LEVEL}:
            assert inside[quantity] / REPEATS > 0.92
