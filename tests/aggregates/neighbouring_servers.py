"""Two servers that differ by one participant, before the close of what that one did."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.core.config import Settings
from api.main import create_app
from api.privacy.restoring import erase_again
from api.publications.noise import OpenDpNoise
from tests.aggregates.published import DAY, person, publish_a_week
from tests.core.stored import in_database
from tests.publications.population import MONDAY, Person, at
from tests.publications.test_publishing import practising
from tests.support import databases
from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device

TODAY = MONDAY + 25 * DAY
AppEdit = Callable[[FastAPI], None]


def unchanged(_: FastAPI) -> None:
    """Leave the app as it is."""


@dataclass(frozen=True)
class NeighbouringServers:
    """The two servers, and a key that opens both."""

    without: TestClient
    having: TestClient
    key: str


def use_every_endpoint(client: TestClient, clock: FakeClock) -> None:
    """Do all that a participant can do, in weeks that are not closed yet."""
    device = Device(client)
    device.enrol(
        age_band="age_40_49",
        consent={"version": CONSENT_VERSION, "storage": True, "research": True},
    )
    for days in range(10):
        device.now = clock.instant = at(TODAY - (10 - days) * DAY)
        device.post_session(device.session(pain_before=10, pain_after=0))
    flagged = device.report({"saddle_numbness": "yes", "fever": "yes"})
    assert device.post_report(flagged).json()["decision"]["level"] == "emergency"
    deleted = device.session()
    device.post_session(deleted)
    assert device.delete(f"/v1/sessions/{deleted['id']}").status_code == 204
    clock.instant = at(TODAY)


@contextlib.contextmanager
def neighbouring_servers(
    kind: str, templates: Path, folder: Path, edit: AppEdit = unchanged
) -> Iterator[NeighbouringServers]:
    """Publish once, copy, add a participant on one side, and erase there who was published."""
    gone: list[Person] = [practising(), person()]
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(databases.fresh_database(kind, templates, folder))
        publish_a_week(url, folder, [*gone, *(person() for _ in range(90))], noise=OpenDpNoise())
        key = give_key(url, FakeClock(), days=300)
        copy = stack.enter_context(databases.copied_database(url, folder))

        def serve(address: str) -> tuple[TestClient, FakeClock]:
            clock = FakeClock()
            clock.instant = at(TODAY)
            settings = Settings(
                database_url=address,
                publication_log=folder / f"{uuid.uuid4().hex}.log",
                rate_limit_clinician="1000000/minute",
            )
            app = create_app(settings, clock)
            edit(app)
            client = TestClient(app, raise_server_exceptions=False)
            return stack.enter_context(client), clock

        without, _ = serve(url)
        having, clock = serve(copy)
        use_every_endpoint(having, clock)

        async def erase(db: AsyncSession) -> None:
            for each in gone:
                await erase_again(db, each.id)

        in_database(copy, erase)
        yield NeighbouringServers(without, having, key)
