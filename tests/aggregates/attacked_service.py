"""The real service, for attackers: they ask over HTTP, and the victims live over HTTP."""

import contextlib
import datetime
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.core.config import Settings
from api.main import create_app
from tests.aggregates.attacks import DAY, OTHERS, VICTIMS, monday
from tests.aggregates.published import real_keys
from tests.core.stored import in_database
from tests.publications.population import MONDAY, Person, at
from tests.publications.test_publishing import publish, settle
from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device

SERIES = "/v1/aggregates/series"
# Enough for the cell to be shown: what is hidden tells an attacker nothing at all.
KNOWN = 90
PLENTY = "1000000/minute"


class AttackedService:
    """An installation of this server with a victim for every week, closed and published."""

    def __init__(self, client: TestClient, url: str, clock: FakeClock, folder: Path) -> None:
        self.client, self.url, self.clock, self.folder = client, url, clock, folder
        self.known, self.repeats = KNOWN, 3
        self.clinician = Clinician(client, give_key(url, clock))
        self.keys = real_keys(url)
        self.victims: list[Device] = []
        self.refused: list[str] = []
        self.answers: dict[str, set[bytes]] = {}

    def live(self, secrets: list[bool]) -> None:
        """Let fake participants, others and victims practise, and publish every week."""
        crowd = [(KNOWN, VICTIMS), (30, OTHERS)]
        people = []
        for many, routine in crowd:
            for _ in range(many):
                person = Person()
                for week in range(len(secrets)):
                    person.session(monday(week), routine=routine)
                people.append(person)
        settle(self.url, *people)
        for week, secret in enumerate(secrets):
            self.clock.instant = at(monday(week) + 6 * DAY)
            victim = Device(self.client)
            victim.now = self.clock.instant
            victim.enrol(consent={"version": CONSENT_VERSION, "storage": True, "research": True})
            if secret:
                done = victim.post_session(victim.session(routine_id=VICTIMS))
                assert done.status_code == 201, done.text
            self.victims.append(victim)
        self.clock.instant = at(monday(len(secrets)) + 60 * DAY)
        self.publish()

    def publish(self) -> list[str]:
        """Run `footing publish`, once more or for the first time."""
        return publish(self.url, self.folder, self.clock.now().date(), keys=self.keys)

    def count(self, first: datetime.date, last: datetime.date, routine: str | None) -> float | None:
        params = {"table": "routine", "stat": "people", "from": str(first), "to": str(last)}
        params |= {"key": routine or "all", "period_kind": "week"}
        answer = self.clinician.get(SERIES, **params)
        content = answer.content.partition(b'"request_id"')[0]
        self.answers.setdefault(str(sorted(params.items())), set()).add(content)
        if answer.status_code != 200:
            assert answer.status_code == 422, answer.text
            self.refused.append(answer.json()["errors"][0]["code"])
            return None
        (point,) = answer.json()["points"]
        assert point["status"] in {"ok", "unstable", "suppressed"}
        estimate: float | None = point["estimate"]
        return estimate

    def add_sybil(self, week: int) -> None:
        """Enrol a person after the fact, who says to have practised in that week."""
        person = Person(id=uuid.uuid4())
        person.session(monday(week), routine=VICTIMS, received=self.clock.now())

        async def store(db: AsyncSession) -> None:
            await person.store(db)

        in_database(self.url, store)

    def withdraw(self, week: int) -> None:
        refusal = {"version": CONSENT_VERSION, "storage": True, "research": False}
        assert self.victims[week].put("/v1/me/consent", refusal).status_code == 200
        self.publish()

    def erase(self, week: int) -> None:
        assert self.victims[week].delete("/v1/me").status_code == 200
        self.publish()


@contextlib.contextmanager
def attacked_service(url: str, folder: Path, secrets: list[bool]) -> Iterator[AttackedService]:
    limits: dict[str, Any] = {
        f"rate_limit_{who}": PLENTY for who in ("enrolment", "public", "participant", "clinician")
    }
    clock = FakeClock()
    clock.instant = at(MONDAY)
    log = folder / "publications.log"
    settings = Settings(database_url=url, publication_log=log, **limits)
    with TestClient(create_app(settings, clock), raise_server_exceptions=False) as client:
        made = AttackedService(client, url, clock, folder)
        made.live(secrets)
        # Keys end; this one is as new as the attack.
        made.clinician = Clinician(client, give_key(url, clock))
        yield made
