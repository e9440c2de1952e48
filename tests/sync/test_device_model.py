"""Two devices of one person, a line that loses answers, and a model of what must be stored.

Hypothesis makes up what they do: `make fuzz` for longer, and each time something else.
"""

import contextlib
import datetime
import uuid
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.core.config import Settings
from api.core.db import table_of
from api.journal.models import Clearance, ExerciseSession, StoredDecision, SymptomReport
from api.main import create_app
from api.participants.models import Participant, RecordedChange
from tests.core.stored import in_database
from tests.support.budget import budget
from tests.support.clock import START, FakeClock
from tests.support.offline import DELETABLE, PATHS, OfflineDevice, QueuedRecord, RecordKey, key_of

Json = dict[str, Any]
STATUSES = ("continue", "caution", "pause", "stop")
SINGLE = {"created": 201, "duplicate": 200, "deleted": 200, "conflict": 409}
BATCHED = {
    "created": ("created", "none", None),
    "duplicate": ("duplicate", "none", None),
    "deleted": ("duplicate", "drop", "deleted"),
    "conflict": ("conflict", "fix", "id_conflict"),
}
WHICH = st.integers(0, 1)
PICK = st.integers(0, 1000)
LOST = st.sampled_from((False, False, True))
LANGUAGES = st.sampled_from(("en", "es"))
# Whole days meet the six weeks of a history exactly; equal moments are distinguished by their ids.
AGES = st.builds(
    datetime.timedelta,
    days=st.sampled_from((0, 1, 2, 3, 20, 41, 42, 43, 60, 85, 100)),
    seconds=st.sampled_from((0, 0, 1, 3600)),
)
# A device's clock may run ahead of the server's by up to a day.
CLOCKS = AGES | st.just(-datetime.timedelta(hours=20))
ZONES = st.sampled_from(("Europe/Madrid", "Pacific/Auckland", "America/Lima", "Mars/Olympus_Mons"))
DATES_OFF = st.sampled_from((0, 0, -1, 1))
SCORES = st.sampled_from((None, 0, 0, 2, 3, 4, 5, 6, 8))
ANSWERS = st.sampled_from(
    (
        {},
        {"first_episode": "no"},
        {"radiating_pain": "left"},
        {"saddle_numbness": "yes"},
        {"leg_numbness": "right", "fever": "no"},
    )
)

CHECKED: tuple[type[SQLModel], ...] = (
    ExerciseSession,
    SymptomReport,
    Clearance,
    StoredDecision,
    RecordedChange,
    Participant,
)


def written(instant: datetime.datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def own_date(record: Json) -> str:
    """Return the local date of a person; in an unknown zone, the one that they sent."""
    instant = datetime.datetime.fromisoformat(record.get("started_at") or record["reported_at"])
    if record["time_zone"] != "Mars/Olympus_Mons":
        return instant.astimezone(zoneinfo.ZoneInfo(record["time_zone"])).date().isoformat()
    anywhere = {
        (instant + datetime.timedelta(hours=hours)).date().isoformat() for hours in range(-12, 15)
    }
    sent: str = record["local_date"]
    return sent if sent in anywhere else instant.date().isoformat()


def hurts(session: Json) -> bool:
    """Return whether there is advice on a session's pain."""
    before, after = session.get("pain_before"), session.get("pain_after")
    return after is not None and (after >= 7 or (before is not None and after - before >= 2))


class RestartableServer:
    """The app on one database, which can be restarted any number of times."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.clock = FakeClock()
        self.open = contextlib.ExitStack()
        self.steps = 0
        self.people = 0
        self.records = 0
        self.start()

    def start(self) -> None:
        self.open.close()
        plenty = "1000000/minute"
        limits: Json = {"rate_limit_participant": plenty, "rate_limit_enrolment": plenty}
        app = create_app(Settings(database_url=self.database_url, **limits), self.clock)
        client = TestClient(app, raise_server_exceptions=False)
        self.client = self.open.enter_context(client)


class Model:
    """What the server promises, in few words."""

    def __init__(self) -> None:
        self.stored: dict[RecordKey, Json] = {}
        self.language: dict[RecordKey, str] = {}
        self.gone: set[RecordKey] = set()

    def post(self, entry: QueuedRecord, language: str) -> str:
        key, (_, body) = key_of(entry), entry
        if key in self.gone:
            if body.get("replaces"):
                self.delete(("session", body["replaces"]))
            return "deleted"
        if key in self.stored:
            return "duplicate" if self.stored[key] == body else "conflict"
        self.stored[key], self.language[key] = body, language
        return "created"

    def delete(self, key: RecordKey | None) -> None:
        """Delete a record, and everything it corrects."""
        while key is not None and key not in self.gone:
            replaces = self.stored.pop(key, {}).get("replaces")
            self.gone.add(key)
            key = ("session", replaces) if replaces else None


class TwoDevices(RuleBasedStateMachine):
    def __init__(self, server: RestartableServer) -> None:
        super().__init__()
        self.server = server
        server.people += 1
        self.model = Model()
        self.made: list[QueuedRecord] = []
        self.acknowledged: set[RecordKey] = set()
        self.devices = [OfflineDevice(server.client) for _ in range(2)]
        self.code = self.devices[0].enrol()["recovery_code"]
        self.devices[1].link(self.code)

    # What the person does.

    def queue(self, which: int, kind: str, body: Json) -> None:
        number = len(self.made)
        # Ids in no order of time, so that it is never they that sort anything by chance.
        body["id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number}"))
        self.made.append((kind, body))
        self.devices[which].queue.append((kind, body))

    def day(self, age: datetime.timedelta, zone: str, days_off: int) -> tuple[str, Json]:
        instant = START - age
        local = instant.date() + datetime.timedelta(days=days_off)
        return written(instant), {"local_date": local.isoformat(), "time_zone": zone}

    def session(self, age: datetime.timedelta, day: tuple[str, int], pain: int | None) -> Json:
        started_at, fields = self.day(age, *day)
        body = self.devices[0].session(
            started_at=started_at,
            ended_at=written(START - age + datetime.timedelta(minutes=15)),
            pain_after=pain,
            **fields,
        )
        return {name: value for name, value in body.items() if value is not None}

    @rule(
        which=WHICH,
        days=st.lists(
            st.tuples(
                CLOCKS,
                st.tuples(ZONES, DATES_OFF),
                SCORES,
                st.sampled_from(("completed", "partial", "abandoned")),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def exercise(self, which: int, days: list[Any]) -> None:
        for age, day, pain, status in days:
            self.queue(which, "session", self.session(age, day, pain) | {"status": status})

    @precondition(lambda self: any(kind == "session" for kind, _ in self.made))
    @rule(which=WHICH, age=AGES, pick=PICK, pain=SCORES)
    def correct(self, which: int, age: Any, pick: int, pain: int | None) -> None:
        """Correct a session: an old one, one that was deleted, or one that never arrived."""
        sessions = [body for kind, body in self.made if kind == "session"]
        replaced = sessions[pick % len(sessions)]
        body = self.session(age, ("Europe/Madrid", 0), pain)
        self.queue(which, "session", body | {"replaces": replaced["id"]})

    @rule(
        which=WHICH,
        days=st.lists(
            st.tuples(CLOCKS, st.tuples(ZONES, DATES_OFF), SCORES, ANSWERS),
            min_size=1,
            max_size=5,
        ),
    )
    def report(self, which: int, days: list[Any]) -> None:
        for age, day, pain, answers in days:
            reported_at, fields = self.day(age, *day)
            score = {} if pain is None else {"pain_score": pain}
            body = self.devices[0].report(dict(answers), reported_at=reported_at, **fields, **score)
            self.queue(which, "symptom_report", body)

    @rule(which=WHICH, age=AGES)
    def see_a_professional(self, which: int, age: Any) -> None:
        self.queue(which, "clearance", {"cleared_at": written(START - age)})

    # What the devices do.

    def check_receipt(self, entry: QueuedRecord, receipt: Json, expected: str) -> None:
        assert (receipt["status"], receipt["action"], receipt["code"]) == BATCHED[expected]
        assert (receipt["kind"], receipt["id"]) == key_of(entry)
        assert (receipt["content_hash"] is None) == (expected == "conflict")
        kind, body = entry
        # A report is answered also where it is refused.
        hurt = kind == "session" and hurts(body) and expected != "conflict"
        assert (receipt["decision_level"] is not None) == (kind == "symptom_report" or hurt)
        assert (receipt["decision_headline"] is None) == (receipt["decision_level"] is None)
        self.acknowledge(entry, expected)

    def acknowledge(self, entry: QueuedRecord, expected: str) -> None:
        if expected != "conflict":
            self.acknowledged.add(key_of(entry))

    def post(self, which: int, entry: QueuedRecord, language: str) -> None:
        expected = self.model.post(entry, language)
        kind, body = entry
        headers = {"Accept-Language": language}
        response = self.devices[which].call("POST", PATHS[kind], body, **headers)
        assert response.status_code == SINGLE[expected], response.text
        if expected != "conflict":
            answer = response.json()
            assert answer["id"] == body["id"]
            assert answer.get("deleted", False) == (expected == "deleted")

    def post_batch(self, which: int, entries: list[QueuedRecord], language: str) -> list[str]:
        in_order = [entry for kind in PATHS for entry in entries if entry[0] == kind]
        expected = [self.model.post(entry, language) for entry in in_order]
        headers = {"Accept-Language": language}
        receipts = self.devices[which].post_batch(entries, **headers)
        for entry, receipt, status in zip(in_order, receipts, expected, strict=True):
            self.check_receipt(entry, receipt, status)
        return expected

    @precondition(lambda self: any(device.queue for device in self.devices))
    @rule(which=WHICH, pick=PICK, lost=LOST, language=LANGUAGES)
    def upload_one(self, which: int, pick: int, lost: bool, language: str) -> None:  # noqa: FBT001
        queue = self.devices[which].queue
        if queue:
            entry = queue[pick % len(queue)]
            self.post(which, entry, language)
            if not lost:
                self.acknowledged.add(key_of(entry))
                queue.remove(entry)

    @precondition(lambda self: any(device.queue for device in self.devices))
    @rule(which=WHICH, order=st.randoms(), part=st.integers(1, 20), lost=LOST, language=LANGUAGES)
    def upload_together(
        self,
        which: int,
        order: Any,
        part: int,
        lost: bool,  # noqa: FBT001
        language: str,
    ) -> None:
        """Upload some of the queue in any order, some records twice."""
        device = self.devices[which]
        entries = list(device.queue)
        order.shuffle(entries)
        entries = entries[:part]
        self.post_batch(which, entries + entries[: part // 4], language)
        if not lost:
            device.queue = [entry for entry in device.queue if entry not in entries]

    @precondition(lambda self: self.made)
    @rule(which=WHICH, picks=st.lists(PICK, min_size=1, max_size=4), together=st.booleans())
    def upload_again(self, which: int, picks: list[int], together: bool) -> None:  # noqa: FBT001
        """Send what any device made at any time, as after a restored backup of the device."""
        entries = [self.made[pick % len(self.made)] for pick in picks]
        if together:
            self.post_batch(which, entries, "en")
        else:
            for entry in entries:
                self.post(which, entry, "en")

    @precondition(lambda self: self.made)
    @rule(which=WHICH, pick=PICK, together=st.booleans())
    def reuse_an_id(self, which: int, pick: int, together: bool) -> None:  # noqa: FBT001
        kind, body = self.made[pick % len(self.made)]
        if (kind, body["id"]) not in self.model.stored:
            return
        other = body | ({"cleared_at": "2020-01-01T00:00:00Z"} if kind == "clearance" else {})
        other |= {"note": "Other content."} if kind != "clearance" else {}
        if together:
            assert self.post_batch(which, [(kind, other), (kind, body)], "en") == [
                "conflict",
                "duplicate",
            ]
        else:
            self.post(which, (kind, other), "en")

    @precondition(lambda self: self.made)
    @rule(which=WHICH, pick=PICK)
    def delete(self, which: int, pick: int) -> None:
        """Delete a record that may be stored, deleted, or still on its way."""
        kind, body = self.made[pick % len(self.made)]
        if kind not in DELETABLE:
            return
        key = (kind, body["id"])
        known = key in self.model.stored or key in self.model.gone
        response = self.devices[which].call("DELETE", f"{PATHS[kind]}/{body['id']}")
        assert response.status_code == (204 if known else 404)
        if known:
            self.model.delete(key)

    @rule(which=WHICH, limit=st.sampled_from((1, 2, 7, 50, 200)), lost=LOST)
    def fetch(self, which: int, limit: int, lost: bool) -> None:  # noqa: FBT001
        device = self.devices[which]
        if lost:
            device.read_page(limit)
        else:
            device.fetch(limit)

    @rule(which=WHICH)
    def reconcile(self, which: int) -> None:
        for key, status in self.devices[which].reconcile().items():
            stored = "present" if key in self.model.stored else "missing"
            assert status in ({stored} if key not in self.model.gone else {"deleted"})

    # What becomes of the devices and of the server.

    @rule(which=WHICH, lost=LOST)
    def rotate(self, which: int, lost: bool) -> None:  # noqa: FBT001
        device = self.devices[which]
        response = device.call("POST", "/v1/devices/current/rotate")
        assert response.status_code == 200
        if not lost:
            old = device.headers
            device.token = response.json()["device_token"]
            assert device.get("/v1/me").status_code == 200
            assert device.client.get("/v1/me", headers=old).status_code == 401

    @rule(which=WHICH, lost=LOST)
    def replace_the_device(self, which: int, lost: bool) -> None:  # noqa: FBT001
        """Lose a device with all that it holds, and link a new one by the recovery code."""
        if lost:
            OfflineDevice(self.server.client).link(self.code)
        new = OfflineDevice(self.server.client)
        new.link(self.code)
        device = self.devices[which].token.split("_")[2]
        assert new.call("DELETE", f"/v1/devices/{uuid.UUID(device)}").status_code == 204
        assert self.devices[which].get("/v1/me").status_code == 401
        self.devices[which] = new

    @precondition(lambda self: len(self.made) % 6 == 5)
    @rule()
    def restart_the_server(self) -> None:
        self.server.start()
        for device in self.devices:
            device.client = self.server.client

    # What always holds.

    @invariant()
    def count(self) -> None:
        self.server.steps += 1
        assert self.acknowledged <= set(self.model.stored) | self.model.gone

    def teardown(self) -> None:
        """Synchronise both devices completely; then they and the server must agree."""
        for which, device in enumerate(self.devices):
            self.post_batch(which, device.queue, "en")
            device.queue = []
        for device in self.devices:
            device.fetch_all()
            assert device.held.keys() == self.model.stored.keys()
        self.server.records += len(self.model.stored)
        self.check_content()
        self.check_tables()
        self.check_reconciled()
        self.check_against_an_upload_in_order()

    def check_content(self) -> None:
        device = self.devices[0]
        assert device.held == self.devices[1].held
        for (kind, record_id), body in self.model.stored.items():
            held = device.held[kind, record_id]
            if kind != "clearance":
                assert device.get(f"{PATHS[kind]}/{record_id}").json() == held
            for name, value in body.items():
                if name == "local_date":
                    own = own_date(body)
                    assert held["local_date"] == own
                    assert [found["pointer"] for found in held["adjusted"]] == (
                        [] if value == own else ["/local_date"]
                    )
                elif name == "items":
                    for given, back in zip(value, held["items"], strict=True):
                        assert given.items() <= back.items()
                else:
                    assert held[name] == value

    def check_tables(self) -> None:
        participant = uuid.UUID(self.devices[0].participant_id)

        async def read(db: AsyncSession) -> dict[str, list[Any]]:
            return {
                table.name: list(
                    await db.execute(select(table).where(table.c.participant_id == participant))
                )
                for table in map(table_of, CHECKED)
            }

        rows = in_database(self.server.database_url, read)
        for kind, name in zip(
            PATHS, ("exercise_session", "symptom_report", "clearance"), strict=True
        ):
            ids = sorted(str(row.id) for row in rows[name])
            assert ids == sorted(name for of, name in self.model.stored if of == kind)
        numbers = sorted(row.number for row in rows["recorded_change"])
        assert numbers == list(range(1, len(numbers) + 1))
        (person,) = rows["participant"]
        assert person.last_change == len(numbers)
        decided = {row.report_id for row in rows["decision"]}
        assert decided == {row.id for row in rows["symptom_report"]}

    def check_reconciled(self) -> None:
        device = self.devices[0]
        for kind, record_id in self.model.gone:
            device.queue.append((kind, {"id": record_id}))
        statuses = device.reconcile()
        assert {key for key, status in statuses.items() if status == "present"} == set(
            self.model.stored
        )
        assert {key for key, status in statuses.items() if status == "deleted"} == self.model.gone

    def check_against_an_upload_in_order(self) -> None:
        """Despite lost responses, everything reads as if uploaded at once and in order."""
        device, fresh = self.devices[0], OfflineDevice(self.server.client)
        fresh.enrol()
        for key in sorted(self.model.stored, key=self.moment):
            language = self.model.language[key]
            kind, body = key[0], self.model.stored[key]
            headers = {"Accept-Language": language}
            assert fresh.call("POST", PATHS[kind], body, **headers).status_code == 201
        fresh.fetch_all()
        for key, expected in fresh.held.items():
            assert device.held[key] == expected
        ours, theirs = (each.get("/v1/me/progress").json() for each in (device, fresh))
        if any(kind == "symptom_report" for kind, _ in self.model.gone):
            # Deleting a report never lifts a hold, so there can be more of them; and a clearance
            # goes on covering what the deleted report had asked for, so there can be fewer.
            kept, again = ours.pop("activities"), theirs.pop("activities")
            if not any(kind == "clearance" for kind, _ in self.model.stored):
                assert set(kept["rule_ids"]) >= set(again["rule_ids"])
            assert STATUSES.index(kept["status"]) >= STATUSES.index(again["status"])
        assert ours == theirs

    def moment(self, key: RecordKey) -> tuple[str, str]:
        body = self.model.stored[key]
        instants = (body.get(name) for name in ("started_at", "reported_at", "cleared_at"))
        return next(instant for instant in instants if instant), key[1]


@pytest.fixture
def server(database_url: str) -> Iterator[RestartableServer]:
    server = RestartableServer(database_url)
    yield server
    server.open.close()


@pytest.mark.fuzz
def test_every_record_is_stored_once_whatever_two_devices_and_the_connection_do(
    server: RestartableServer, record_property: Callable[[str, object], None]
) -> None:
    chosen = settings(
        max_examples=budget(quick=4, full=60),
        stateful_step_count=budget(quick=25, full=50),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        # A failing run is long to make shorter; to explain it would take several times longer.
        phases=set(Phase) - {Phase.explain},
    )
    run_state_machine_as_test(lambda: TwoDevices(server), settings=chosen)  # type: ignore[arg-type]  # anything that makes one will do
    summary = f"{server.steps} steps of {server.people} people with {server.records} records"
    record_property("steps", summary)
    print(f"\n{summary}: no violation")  # noqa: T201  # what -s and a report show
    assert server.steps > 100
