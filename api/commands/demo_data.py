"""Synthetic users for a demonstration: who they are, what they log, and their decisions.

The distributions are in `People` and in docs/operators.md. They are invented: no figure derived
from them says anything about real people. Records are made with the same models, hashes and triage
as those of a real upload.
"""

import datetime
import random
import uuid
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import SQLModel

from api.content.catalogue import Catalogue
from api.content.seed import Routine
from api.core.tokens import hash_secret
from api.journal import service
from api.journal.decisions import decision_rows
from api.journal.history import Episode, PastReport
from api.journal.models import (
    ActivityHold,
    Clearance,
    ExerciseSession,
    StoredDecision,
    SymptomReport,
)
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport
from api.participants.changes import ChangedKind
from api.participants.models import (
    ConsentRecord,
    Device,
    Participant,
    RecordedChange,
    RecoveryCodeHash,
)
from api.participants.recovery import make_recovery_code
from api.participants.tokens import DeviceToken, make_token
from api.triage.evaluation import Case, decide
from api.triage.reports import read_answers
from api.triage.rules import RuleSet

Row = dict[str, Any]
# In the order in which rows refer to each other.
TABLES: tuple[type[SQLModel], ...] = (
    Participant,
    Device,
    RecoveryCodeHash,
    ConsentRecord,
    ExerciseSession,
    SymptomReport,
    StoredDecision,
    ActivityHold,
    Clearance,
    RecordedChange,
)
MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)
# No session is longer than its routine, and a report takes a few minutes.
ITEM_SECONDS = 150
REPORT_EVERY_DAYS = 28
HOMES = (("Europe/Madrid", "es", 5), ("Europe/London", "en", 3), ("America/Bogota", "es", 2))
AGES = {
    "age_18_29": 8,
    "age_30_39": 15,
    "age_40_49": 22,
    "age_50_59": 23,
    "age_60_69": 17,
    "age_70_79": 9,
    "age_80_plus": 2,
    "unknown": 4,
}
# The probability that a report answers a question with something other than "no".
SIGNS: dict[str, tuple[float, str]] = {
    "night_pain": (0.07, "yes"),
    "cannot_sleep_or_move": (0.05, "yes"),
    "radiating_pain": (0.03, "left"),
    "leg_numbness": (0.02, "right"),
    "worse_on_cough": (0.01, "yes"),
    "fever": (0.008, "yes"),
    "weight_loss": (0.005, "yes"),
    "leg_weakness": (0.004, "left"),
    "bladder_change": (0.003, "yes"),
    "saddle_numbness": (0.001, "yes"),
}


@dataclass(frozen=True)
class People:
    """Generates users, from the first day until now."""

    catalogue: Catalogue
    rule_set: RuleSet
    regions: Sequence[str]
    first: datetime.date
    now: datetime.datetime
    chance: random.Random

    def make(self) -> "Person":
        """Make one user with all records."""
        chance = self.chance
        days = (self.now.date() - self.first).days
        zone, language, _ = chance.choices(HOMES, [home[2] for home in HOMES])[0]
        # They join evenly over the first four fifths of the time.
        joined = self.first + DAY * int(days * 0.8 * chance.random())
        person = Person(
            people=self,
            zone=zoneinfo.ZoneInfo(zone),
            language=language,
            age_band=chance.choices(list(AGES), list(AGES.values()))[0],
            region=chance.choice((*self.regions, "unknown")),
            joined_at=self.waking(joined, zoneinfo.ZoneInfo(zone)),
            # The mean pain before a session, and what it loses in a week.
            pain=min(max(chance.gauss(4.5, 1.4), 1), 8),
            eases=chance.gauss(0.08, 0.06),
            # The probability that they practise on a day.
            diligence=chance.betavariate(2.4, 1.3),
            routine=self._favourite(),
        )
        person.live(stays_days=int(chance.expovariate(1 / 110)) + 1)
        return person

    def waking(self, day: datetime.date, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
        """Return a random minute of a user's waking day."""
        own = datetime.time(self.chance.randrange(7, 22), self.chance.randrange(60), tzinfo=zone)
        return datetime.datetime.combine(day, own).astimezone(datetime.UTC)

    def _favourite(self) -> Routine:
        """Prefer the first routines of the catalogue, each a third less than the one before."""
        routines = self.catalogue.routines
        return self.chance.choices(routines, [0.65**place for place in range(len(routines))])[0]

    def happens(self, often: float) -> bool:
        """Return True with this probability."""
        return self.chance.random() < often

    def new_id(self) -> uuid.UUID:
        """Make the id of a record, from the seed like everything else."""
        return uuid.UUID(int=self.chance.getrandbits(128), version=4)


@dataclass
class Person:
    """One user: their traits, and the resulting rows."""

    people: People
    zone: zoneinfo.ZoneInfo
    language: str
    age_band: str
    region: str
    joined_at: datetime.datetime
    pain: float
    eases: float
    diligence: float
    routine: Routine
    id: uuid.UUID = field(init=False)
    token: DeviceToken = field(init=False)
    rows: dict[type[SQLModel], list[Row]] = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.people.new_id()
        # Secrets come from the system, because a demonstration may be reachable by others.
        self.token = make_token(self.id, self.people.new_id())
        self.rows = {table: [] for table in TABLES}
        self._episode = Episode()
        self._arrivals: list[tuple[datetime.datetime, ChangedKind, uuid.UUID]] = []
        self._held_until: datetime.datetime | None = None

    def live(self, stays_days: int) -> None:
        """Generate records from the enrolment until they lose interest, or until now."""
        happens = self.people.happens
        for number in range(stays_days):
            at = self.joined_at if number == 0 else self._time_of(number)
            if at > self.people.now:
                break
            # One when they join, and three in four every four weeks from then on.
            asked = number % REPORT_EVERY_DAYS == 0
            if asked and (number == 0 or happens(0.75)):
                self._report(at + MINUTE, number / 7)
            held = self._held_until is not None and at < self._held_until
            if not held and happens(self.diligence):
                self._practise(at + 5 * MINUTE, number / 7)
        self._enrol()

    def _time_of(self, number: int) -> datetime.datetime:
        day = self.joined_at.astimezone(self.zone).date() + DAY * number
        return self.people.waking(day, self.zone)

    def _arrive(self, made_at: datetime.datetime) -> datetime.datetime:
        """Return when a device uploads a record: mostly at once, sometimes after days offline."""
        chance = self.people.chance
        days = chance.choices((range(1), range(1, 4), range(4, 31)), (85, 12, 3))[0]
        return made_at + MINUTE + DAY * chance.choice(days)

    def _score(self, mean: float, spread: float) -> int:
        return min(max(round(self.people.chance.gauss(mean, spread)), 0), 10)

    def _practise(self, at: datetime.datetime, weeks: float) -> None:
        chance, people = self.people.chance, self.people
        # Four sessions in five follow the favourite; one in thirty is a routine of their own.
        routine = self.routine
        if people.happens(0.2):
            routine = chance.choice(people.catalogue.routines)
        own = people.happens(1 / 30)
        status = chance.choices(("completed", "partial", "abandoned"), (90, 7, 3))[0]
        items = routine.items if status == "completed" else routine.items[:1]
        kinds = {activity.id: activity.kind for activity in people.catalogue.activities}
        before = self._score(self.pain - self.eases * weeks, 1.0)
        # Five people in six give both scores; the session takes half a point off, on average.
        scored = people.happens(5 / 6)
        ended_at = at + datetime.timedelta(seconds=ITEM_SECONDS * len(items))
        arrived = self._arrive(ended_at)
        if arrived > people.now:
            return
        session = NewSession.model_validate(
            {
                "id": people.new_id(),
                "routine_id": None if own else routine.id,
                "started_at": at,
                "ended_at": ended_at,
                "local_date": at.astimezone(self.zone).date(),
                "time_zone": self.zone.key,
                "status": status,
                "items": [
                    {
                        "activity_id": item.activity_id,
                        "kind": kinds[item.activity_id],
                        "side": "both",
                        "seconds": ITEM_SECONDS,
                    }
                    for item in items
                ],
                "pain_before": before if scored else None,
                "pain_after": self._score(before - 0.5, 1.1) if scored else None,
            }
        )
        self.rows[ExerciseSession].append(service.row_of(self.id, session, arrived))
        self._arrivals.append((arrived, ChangedKind.SESSION, session.id))

    def _report(self, at: datetime.datetime, weeks: float) -> None:
        people, chance = self.people, self.people.chance
        arrived = at + MINUTE
        if arrived > people.now:
            return
        answers = {
            question["id"]: no
            for question in people.rule_set.questions.values()
            for no in ("no", "none")
            if question["must_ask"] and no in {choice["id"] for choice in question["choices"]}
        }
        answers |= {name: sign for name, (often, sign) in SIGNS.items() if people.happens(often)}
        report = NewSymptomReport.model_validate(
            {
                "id": people.new_id(),
                "reported_at": at,
                "local_date": at.astimezone(self.zone).date(),
                "time_zone": self.zone.key,
                "pain_score": self._score(self.pain - self.eases * weeks, 0.8),
                "weeks": int(weeks) + 1,
                "trend": chance.choices(("better", "same", "worse"), (5, 4, 1))[0],
                "age_years": self._age(),
                "answers": answers,
            }
        )
        past = PastReport(report.id, report.reported_at, report.pain_score)
        case = Case(
            read_answers(people.rule_set, report),
            self.language,
            arrived,
            report_id=report.id,
            reported_at=report.reported_at,
            local_date=report.local_date,
            history_facts=self._episode.facts_of(past),
        )
        self._episode = self._episode.after(past)
        decision, hold = decision_rows(
            self.id, people.rule_set, case, decide(people.rule_set, case)
        )
        shown = {"device_level": None, "device_rule_set_hash": None, "device_agrees": None}
        row = service.row_of(self.id, report, arrived)
        self.rows[SymptomReport].append({**row, **shown, "decision_id": decision["id"]})
        self.rows[StoredDecision].append(decision)
        self._arrivals.append((arrived, ChangedKind.SYMPTOM_REPORT, report.id))
        if hold is not None:
            self.rows[ActivityHold].append(hold)
        if decision["activity_status"] in {"pause", "stop"}:
            self._pause(arrived)

    def _age(self) -> int | None:
        digits = [part for part in self.age_band.split("_") if part.isdecimal()]
        return int(digits[0]) + 5 if digits else None

    def _pause(self, since: datetime.datetime) -> None:
        """Stop as the decision says; six in ten have seen a professional within three weeks."""
        chance, people = self.people.chance, self.people
        self._held_until = datetime.datetime.max.replace(tzinfo=datetime.UTC)
        cleared_at = since + DAY * chance.randrange(2, 21)
        if not people.happens(0.6) or cleared_at + MINUTE > people.now:
            return
        clearance = NewClearance(id=people.new_id(), cleared_at=cleared_at)
        self.rows[Clearance].append(service.row_of(self.id, clearance, cleared_at + MINUTE))
        self._arrivals.append((cleared_at + MINUTE, ChangedKind.CLEARANCE, clearance.id))
        self._held_until = cleared_at

    def _enrol(self) -> None:
        """Make the user's rows, once all changes are known."""
        chance, people = self.people.chance, self.people
        # Seven in eight agree to research, and one in thirty of those takes that back.
        research = [people.happens(7 / 8)]
        left_at = self.joined_at + DAY * chance.randrange(7, 90)
        if research[0] and people.happens(1 / 30) and left_at < people.now:
            research.append(False)
            self._arrivals.append((left_at, ChangedKind.CONSENT, self.id))
        changes = sorted(self._arrivals, key=lambda arrival: arrival[0])
        self._add(
            Participant,
            enrolled_at=self.joined_at,
            time_zone=self.zone.key,
            language=self.language,
            age_band=self.age_band,
            region=self.region,
            conditions=[],
            last_change=len(changes),
            used=True,
            storage_consent=True,
        )
        self._add(
            Device,
            device_id=self.token.device_id,
            secret_hash=hash_secret(self.token.secret),
            pending_hash=None,
            created_at=self.joined_at,
            revoked_at=None,
        )
        code = make_recovery_code()
        self._add(
            RecoveryCodeHash,
            locator=code.locator,
            secret_hash=hash_secret(code.secret),
            created_at=self.joined_at,
            failed_attempts=0,
            locked_until=None,
        )
        version = next(consent.version for consent in people.catalogue.consents if consent.current)
        given = zip(research, (self.joined_at, left_at), strict=False)
        for number, (agreed, given_at) in enumerate(given, start=1):
            consent = {"version": version, "storage": True, "research": agreed}
            self._add(ConsentRecord, number=number, given_at=given_at, **consent)
        for number, (arrived, kind, record_id) in enumerate(changes, start=1):
            change = {"kind": kind.value, "record_id": record_id, "deleted": False}
            self._add(RecordedChange, number=number, changed_at=arrived, **change)

    def _add(self, table: type[SQLModel], **columns: object) -> None:
        self.rows[table].append({"participant_id": self.id, **columns})
