"""People and their records, written straight into the database, as the cube reads them."""

import datetime
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.config import SEED_FOLDER
from api.journal.models import ExerciseSession, StoredDecision, SymptomReport
from api.participants.models import ConsentRecord, Participant
from api.publications.cell_keys import CellKeys
from api.publications.models import Installation
from api.publications.periods import Period
from api.publications.policy import PublicationPolicy, read_policy

Row = dict[str, Any]
MONDAY = datetime.date(2026, 9, 7)
STANDARD = read_policy(SEED_FOLDER, "standard")
PILOT = read_policy(SEED_FOLDER, "pilot")
KEYS = CellKeys(
    routines=("daily", "exercises", "massage"),
    regions=("north", "south"),
    red_flag_rules=("E01", "U01"),
)
ROUTINES = ("daily", "exercises", "massage", "one-that-is-gone", None)
BANDS = ("age_18_29", "age_40_49", "age_80_plus", "unknown", "age_90_plus")
REGIONS = ("north", "south", "unknown", "a-region-that-is-gone")
FIRED: tuple[tuple[str, list[str]], ...] = (
    ("self_care", []),
    ("see_professional", ["P01"]),
    ("urgent", ["P01", "U01"]),
    ("emergency", ["U01", "E01"]),
    ("urgent", ["U99"]),
    ("emergency", []),
)


def at(day: datetime.date, hour: int = 12) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(hour, tzinfo=datetime.UTC))


def period_of(policy: PublicationPolicy, kind: str, starts_on: datetime.date = MONDAY) -> Period:
    return Period(starts_on, policy.period(kind).days, kind)


@dataclass
class Person:
    """One participant with everything that a publication reads."""

    age_band: str = "age_40_49"
    region: str = "north"
    consents: list[tuple[bool, datetime.datetime]] = field(
        default_factory=lambda: [(True, at(MONDAY))]
    )
    # Whether the newest consent is one to storage too.
    storage: bool = True
    sessions: list[Row] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def session(
        self,
        day: datetime.date = MONDAY,
        *,
        routine: str | None = "daily",
        before: int | None = 5,
        after: int | None = 4,
        status: str = "completed",
        received: datetime.datetime | None = None,
        replaces: uuid.UUID | None = None,
    ) -> uuid.UUID:
        row = {
            "id": uuid.uuid4(),
            "routine_id": routine,
            "local_date": day,
            "received_at": received or at(day),
            "status": status,
            "pain_before": before,
            "pain_after": after,
            "replaces": replaces,
            "original": self._original(replaces),
        }
        self.sessions.append(row)
        return uuid.UUID(str(row["id"]))

    def _original(self, replaces: uuid.UUID | None) -> uuid.UUID | None:
        """Name the first of a chain of corrections, as a server does when one arrives."""
        stored = {row["id"]: row for row in self.sessions}
        return stored[replaces]["original"] or replaces if replaces in stored else replaces

    def report(
        self,
        day: datetime.date = MONDAY,
        *,
        level: str = "emergency",
        fired: list[str] | None = None,
        received: datetime.datetime | None = None,
    ) -> None:
        self.reports.append(
            {
                "id": uuid.uuid4(),
                "local_date": day,
                "received_at": received or at(day),
                "level": level,
                "fired": fired if fired is not None else ["E01"],
            }
        )

    async def store(self, db: AsyncSession) -> None:
        await db.execute(
            insert(Participant).values(
                participant_id=self.id,
                enrolled_at=at(MONDAY),
                time_zone="Europe/Madrid",
                language="en",
                age_band=self.age_band,
                region=self.region,
                conditions=[],
                last_change=0,
                used=True,
                storage_consent=True,
            )
        )
        for table, rows in (
            (ConsentRecord, list(self._consents())),
            (ExerciseSession, [self._session(row) for row in self.sessions]),
            (SymptomReport, [self._report(row) for row in self.reports]),
            (StoredDecision, [self._decision(row) for row in self.reports]),
        ):
            if rows:
                await db.execute(insert(table), rows)

    def _consents(self) -> Iterator[Row]:
        for number, (research, given_at) in enumerate(self.consents, 1):
            yield {
                "participant_id": self.id,
                "number": number,
                "version": "1",
                "storage": self.storage or number < len(self.consents),
                "research": research,
                "given_at": given_at,
            }

    def _session(self, row: Row) -> Row:
        return row | {
            "participant_id": self.id,
            "content_hash": "0" * 64,
            "started_at": at(row["local_date"]),
            "ended_at": at(row["local_date"]),
            "time_zone": "Europe/Madrid",
            "items": [],
            "effort": None,
            "note": None,
        }

    def _report(self, row: Row) -> Row:
        return {
            "participant_id": self.id,
            "id": row["id"],
            "content_hash": "0" * 64,
            "received_at": row["received_at"],
            "reported_at": at(row["local_date"]),
            "local_date": row["local_date"],
            "time_zone": "Europe/Madrid",
            "answers": {},
            "decision_id": row["id"],
        }

    def _decision(self, row: Row) -> Row:
        return {
            "participant_id": self.id,
            "id": row["id"],
            "report_id": row["id"],
            "rule_set_hash": "0" * 64,
            "engine": "footing-triage/1",
            "level": row["level"],
            "activity_status": "continue",
            "evaluated_at": row["received_at"],
            "language": "en",
            "history_facts": [],
            "facts": {},
            "fired": row["fired"],
            "undecided": [],
            "document": {},
        }


def random_person(chance: random.Random) -> Person:
    """Make a person out of everything that can be the case, rare things often."""
    person = Person(chance.choice(BANDS), chance.choice(REGIONS))
    person.consents = [
        (chance.random() < 0.8, at(MONDAY, chance.randrange(3)))
        for _ in range(chance.choice((1, 1, 3)))
    ]
    for _ in range(chance.choice((0, 1, 3, 6, 12, 40))):
        day = MONDAY + datetime.timedelta(days=chance.randrange(-70, 30))
        late = datetime.timedelta(
            days=chance.choice((0, 0, 0, 1, 13, 14, 15, 20, 21, 22, 40, 56, 57, 80))
        )
        score = chance.random() < 0.7
        replaces = (
            chance.choice(person.sessions)["id"]
            if person.sessions and chance.random() < 0.2
            else None
        )
        person.session(
            day,
            routine=chance.choice(ROUTINES),
            before=chance.randrange(11) if score or chance.random() < 0.3 else None,
            after=chance.randrange(11) if score else None,
            status=chance.choice(("completed", "completed", "partial", "abandoned")),
            received=at(day + late, chance.randrange(24)),
            replaces=replaces,
        )
    for _ in range(chance.choice((0, 0, 1, 3))):
        day = MONDAY + datetime.timedelta(days=chance.randrange(-40, 30))
        level, fired = chance.choice(FIRED)
        late = datetime.timedelta(days=chance.choice((0, 0, 15, 30, 60)))
        person.report(day, level=level, fired=fired, received=at(day + late))
    return person


def extremes() -> Iterator[Person]:
    """Make the people who try to move a publication as far as it goes."""
    for change in ((10, 0), (0, 10)):
        tireless = Person()
        for number in range(250):
            day = MONDAY + datetime.timedelta(days=number % 7)
            tireless.session(day, routine=ROUTINES[number % 5], before=change[0], after=change[1])
        yield tireless
    once = Person()
    once.session(before=10, after=0)
    yield once
    silent = Person()
    silent.session(before=None, after=None)
    yield silent
    spread = Person()
    for routine in ROUTINES:
        for number in range(3):
            spread.session(MONDAY + datetime.timedelta(days=number), routine=routine)
    yield spread
    alarmed = Person()
    for level, fired in FIRED * 5:
        alarmed.report(level=level, fired=fired)
    yield alarmed


async def install(db: AsyncSession, day: datetime.date = MONDAY) -> None:
    """Make the database one that was installed on a day."""
    await db.execute(update(Installation).values(installed_on=day))
