"""Publications to read over HTTP, on a database of the test's own."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.service import active_hash, load_release
from api.publications.cell_keys import CellKeys, cell_keys_of
from api.publications.noise import Noise
from api.publications.policy import PublicationPolicy
from tests.core.stored import in_database
from tests.publications.population import MONDAY, STANDARD, Person
from tests.publications.test_publishing import NoNoise, publish, settle

DAY = datetime.timedelta(days=1)
ROUTINE = "daily-15-minutes"


def real_keys(
    url: str, policy: PublicationPolicy = STANDARD, regions: Sequence[str] = ()
) -> CellKeys:
    """Return the keys that `footing publish` would take."""

    async def work(db: AsyncSession) -> CellKeys:
        name = await active_hash(db)
        assert name is not None
        return cell_keys_of((await load_release(db, name)).catalogue, regions, policy)

    return in_database(url, work)


def person(
    days: int = 5, *, start: datetime.date = MONDAY, routine: str | None = ROUTINE, **about: Any
) -> Person:
    """Create a participant who practises on some days of the week that begins then."""
    made = Person(**about)
    for number in range(days):
        made.session(start + number * DAY, routine=routine)
    return made


def publish_a_week(
    url: str, folder: Path, people: Sequence[Person] = (), *, noise: Noise | None = None
) -> None:
    """Publish the first week of an installation; 150 people practised, unless others did."""
    settle(url, *(people or [person(3 + number % 5) for number in range(150)]))
    publish(url, folder, MONDAY + 21 * DAY, noise=noise or NoNoise(), keys=real_keys(url))
