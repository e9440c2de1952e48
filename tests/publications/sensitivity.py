"""How far one more participant moves the exact numbers, measured on the real statements."""

import asyncio
import random
from collections.abc import Iterable

from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.config import Settings
from api.core.db import Database
from api.publications import cube
from api.publications.cube import Exact
from api.publications.measures import STATISTICS
from api.publications.policy import PublicationPolicy
from tests.publications.population import KEYS, PILOT, STANDARD, extremes, period_of, random_person

# Period, table and measure.
Place = tuple[str, str, str]
Cubes = dict[Place, tuple[Exact, int]]


async def cubes(db: AsyncSession, policies: Iterable[PublicationPolicy]) -> Cubes:
    """Compute every table of every period, with the bound of each measure."""
    found: Cubes = {}
    for policy in policies:
        for kind in policy.periods:
            period = period_of(policy, kind.kind)
            for table in kind.tables:
                exact = await cube.compute(db, period, policy, table, KEYS)
                for measure in table.measures:
                    own = {k: v for k, v in exact.items() if k[1] in STATISTICS[measure.measure]}
                    place = (f"{policy.profile} {kind.kind}", table.table, measure.measure)
                    found[place] = (own, measure.bound)
    return found


def squared_distance(one: Exact, other: Exact) -> int:
    return sum((one[place] - other[place]) ** 2 for place in one)


async def _worst(
    db: AsyncSession, trials: int, policies: Iterable[PublicationPolicy]
) -> dict[Place, tuple[int, int]]:
    chance = random.Random(1)
    policies = list(policies)
    for _ in range(8):
        await random_person(chance).store(db)
    before = await cubes(db, policies)
    worst = {place: (0, bound) for place, (_, bound) in before.items()}
    for victim in (*extremes(), *(random_person(chance) for _ in range(trials))):
        added = await db.begin_nested()
        await victim.store(db)
        after = await cubes(db, policies)
        await added.rollback()
        for place, (exact, bound) in after.items():
            distance = squared_distance(exact, before[place][0])
            worst[place] = (max(worst[place][0], distance), bound)
    return worst


def worst_distances(
    url: str, trials: int, policies: Iterable[PublicationPolicy] = (STANDARD, PILOT)
) -> dict[Place, tuple[int, int]]:
    """Return the largest squared distance of every measure, with its bound."""

    async def run() -> dict[Place, tuple[int, int]]:
        database = Database(Settings(database_url=url))
        try:
            async with database.write() as db:
                found = await _worst(db, trials, policies)
                await db.rollback()
                return found
        finally:
            await database.close()

    return asyncio.run(run())


def broken(worst: dict[Place, tuple[int, int]]) -> set[str]:
    """Name the measures that a participant changed by more than their bound."""
    return {place[2] for place, (distance, bound) in worst.items() if distance > bound**2}
