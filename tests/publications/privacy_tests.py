"""What the noise is put through: a little with every test run, all of it with `make proof`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from api.publications.noise import Noise
from api.publications.policy import PublicationPolicy
from tests.core.stored import in_database
from tests.publications.population import STANDARD, extremes
from tests.publications.sensitivity import cubes

# Of a measure: how far the worst person moves each number, and the scale of its noise.
Shifts = list[tuple[list[int], int]]
MEASURES = ("people", "pain", "sessions")


def worst_shifts(
    url: str, policy: PublicationPolicy = STANDARD, noise_policy: PublicationPolicy = STANDARD
) -> Shifts:
    """Take the person who moves a week furthest, in units of the noise of `noise_policy`."""
    scales = {
        measure.measure.value: measure.scale
        for measure in noise_policy.period("week").tables[0].measures
    }

    async def work(db: AsyncSession) -> list[Shifts]:
        found = []
        for victim in extremes():
            with_nobody = await cubes(db, [policy])
            added = await db.begin_nested()
            await victim.store(db)
            with_one = await cubes(db, [policy])
            await added.rollback()
            shifts = []
            for measure in MEASURES:
                place = (f"{policy.profile} week", "routine", measure)
                one, other = with_one[place][0], with_nobody[place][0]
                moved = [one[key] - other[key] for key in one if one[key] != other[key]]
                shifts.append((moved, scales[measure]))
            found.append(shifts)
        return found

    return max(in_database(url, work), key=distance)


def distance(shifts: Shifts) -> float:
    """Return how far apart neighbouring databases lie, in noise: mu of Gaussian privacy."""
    return math.sqrt(sum(n * n / scale**2 for moved, scale in shifts for n in moved))


@dataclass(frozen=True)
class Audit:
    """What an attacker with the best possible test achieves."""

    mu: float
    lower: float
    claim: float
    accuracy: float

    @property
    def passed(self) -> bool:
        return self.lower <= self.claim


def audit(noise: Noise, shifts: Shifts, claim: float, runs: int, z: float) -> Audit:
    """Publish two neighbouring databases many times; distinguish them by the likelihood ratio.

    The attacker knows the scales of the policy; the noise may be something else.
    """
    score = {0: [0.0] * runs, 1: [0.0] * runs}
    for database, scores in score.items():
        for moved, scale in shifts:
            for shift in moved:
                for run, value in enumerate(noise.draw([database * shift] * runs, scale)):
                    scores[run] += value * shift / scale**2
    means = {database: math.fsum(scores) / runs for database, scores in score.items()}
    variance = math.fsum(
        (value - means[database]) ** 2 for database, scores in score.items() for value in scores
    ) / (2 * runs)
    mu = (means[1] - means[0]) / math.sqrt(variance)
    middle = (means[0] + means[1]) / 2
    right = sum(
        (value > middle) == database for database, scores in score.items() for value in scores
    )
    # The standard error of a difference of means, in units of the spread.
    lower = mu - z * math.sqrt(2 / runs + mu * mu / (4 * runs))
    return Audit(mu, lower, claim, right / (2 * runs))


@dataclass(frozen=True)
class Weaker:
    """A mutant: noise of a smaller scale than it is asked for."""

    noise: Noise
    percent: int

    def draw(self, exact: Sequence[int], scale: int) -> list[int]:
        return self.noise.draw(exact, scale * self.percent // 100)


@dataclass(frozen=True)
class Fit:
    """How drawn noise lies against the discrete Gaussian of its scale."""

    mean_z: float
    variance_z: float
    tail_z: float

    @property
    def worst(self) -> float:
        return max(map(abs, (self.mean_z, self.variance_z, self.tail_z)))


def tail_of(scale: int, beyond: int) -> float:
    """Return how likely a discrete Gaussian lies further from zero than a number."""
    weights = [math.exp(-(n * n) / (2 * scale**2)) for n in range(-12 * scale, 12 * scale + 1)]
    inside = math.fsum(math.exp(-(n * n) / (2 * scale**2)) for n in range(-beyond, beyond + 1))
    return 1 - inside / math.fsum(weights)


def fit(draw: Callable[[Sequence[int], int], list[int]], scale: int, runs: int) -> Fit:
    """Hold mean, variance and tails of draws against what they should be, in standard errors."""
    drawn = draw([0] * runs, scale)
    mean = math.fsum(drawn) / runs
    variance = math.fsum(n * n for n in drawn) / runs
    tail = tail_of(scale, 3 * scale)
    beyond = sum(abs(n) > 3 * scale for n in drawn)
    return Fit(
        mean * math.sqrt(runs) / scale,
        (variance / scale**2 - 1) * math.sqrt(runs / 2),
        (beyond - runs * tail) / math.sqrt(runs * tail * (1 - tail)),
    )


def mutants() -> Mapping[str, PublicationPolicy]:
    """Return policies with a bound taken away."""
    uncapped = [each.model_copy(update={"session_cap": 10**6}) for each in STANDARD.periods]
    wide = STANDARD.pain.model_copy(update={"lowest_tenths": -100, "highest_tenths": 80})
    return {
        "no session cap": STANDARD.model_copy(update={"periods": uncapped}),
        "no clamp": STANDARD.model_copy(update={"pain": wide}),
    }
