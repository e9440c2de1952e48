"""Whatever was stored can be read: by every operation, as the OpenAPI document says."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.http.fields import EARLIEST
from api.http.pages import decode_cursor, encode_cursor
from api.journal.models import ExerciseSession
from api.participants.models import Participant, RecordedChange
from tests.conftest import AppMaker
from tests.core.stored import in_database
from tests.journal.reading_everything import Everything
from tests.support.budget import FULL, budget
from tests.support.clock import START
from tests.support.device import Device
from tests.support.document import RECORDED, Document

Json = dict[str, Any]
Draw = Callable[..., Any]
PLENTY = "1000000/minute"
SECOND = datetime.timedelta(seconds=1)
# Sessions and reports may be ahead of the server's clock by a day.
LATEST = START + datetime.timedelta(days=1)


@pytest.fixture
def client(database_url: str, make_client: AppMaker) -> TestClient:
    limits = {f"rate_limit_{name}": PLENTY for name in ("enrolment", "public", "participant")}
    return make_client(database_url=database_url, **limits)


@pytest.fixture
def document() -> Document:
    return Document(RECORDED)


# Records at the edges of what is accepted.

OFFSETS = st.sampled_from((0, 60, 330, -719, 840, -1439, 1439)).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
MOMENTS = st.one_of(
    st.sampled_from((EARLIEST, EARLIEST + SECOND, START, LATEST - SECOND, LATEST)),
    st.datetimes(
        EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(datetime.UTC)
    ),
    # Much of it on one day.
    st.integers(0, 86_400).map(lambda seconds: START - seconds * SECOND),
)
SPANS = st.one_of(st.sampled_from((0, 1, 7_200, 7_201, 86_400, 10**9)), st.integers(0, 7_200)).map(
    lambda seconds: seconds * SECOND
)
DATES = st.one_of(st.dates(), st.sampled_from((datetime.date.min, datetime.date.max)))
ZONES = st.sampled_from(
    (
        *("UTC", "Europe/Madrid", "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu"),
        *("Etc/GMT+12", "Mars/Olympus_Mons", "+0530", "Z" * 64, "localtime"),
    )
)
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NOTES = st.one_of(
    st.none(),
    st.text(TEXT, max_size=500),
    st.sampled_from(("", " ", "\n\t", "\x01\x1f\x7f\x85\u2028\ufffe\uffff", "\U0010ffff" * 500)),
)
IDS = st.uuids(allow_nil=True).map(str)


def optional(highest: int) -> st.SearchStrategy[int | None]:
    return st.sampled_from((None, 0, 1, highest))


ACTIVITIES = (
    *(("toe-curls", "exercise"), ("arch-rolls", "exercise"), ("heel-raises", "exercise")),
    *(("heel-massage", "massage"), ("sore-spot-massage", "massage")),
)


@st.composite
def items(draw: Draw) -> Json:
    activity_id, kind = draw(st.sampled_from(ACTIVITIES))
    amounts = ("sets", "repetitions", "target_sets", "target_repetitions")
    return {
        "activity_id": activity_id,
        "kind": kind,
        "side": draw(st.sampled_from(("left", "right", "both"))),
        "seconds": draw(optional(86_400)),
        "target_seconds": draw(optional(86_400)),
        **{name: draw(optional(10_000)) for name in amounts},
        "skipped": draw(st.booleans()),
    }


@st.composite
def dated(draw: Draw) -> Json:
    return {
        "id": draw(IDS),
        "local_date": draw(DATES).isoformat(),
        "time_zone": draw(ZONES),
        "note": draw(NOTES),
    }


@st.composite
def sessions(draw: Draw, corrected: st.SearchStrategy[str | None]) -> Json:
    started_at = draw(MOMENTS)
    ended_at = min(started_at + draw(SPANS), LATEST)
    made: Json = draw(dated())
    replaces = draw(corrected)
    return made | {
        "replaces": None if replaces == made["id"] else replaces,
        "routine_id": draw(st.sampled_from((None, "daily-15-minutes", "a" * 64, "0"))),
        "started_at": started_at.astimezone(draw(OFFSETS)).isoformat(),
        "ended_at": ended_at.astimezone(draw(OFFSETS)).isoformat(),
        "status": draw(st.sampled_from(("completed", "partial", "abandoned"))),
        "items": draw(st.lists(items(), max_size=3)) * draw(st.sampled_from((1, 1, 33))),
        "pain_before": draw(optional(10)),
        "pain_after": draw(optional(10)),
        "effort": draw(optional(10)),
    }


def reports(rule_set: Json) -> st.SearchStrategy[Json]:
    answers = {
        question["id"]: st.sampled_from([choice["id"] for choice in question["choices"]])
        for question in rule_set["questions"]
        if question["choices"] and question["id"] != "trend"
    }
    decided = st.fixed_dictionaries(
        {
            "level": st.sampled_from([level["id"] for level in rule_set["levels"]]),
            "rule_set_hash": st.sampled_from((rule_set["hash"], "0" * 64)),
        }
    )

    @st.composite
    def report(draw: Draw) -> Json:
        made: Json = draw(dated())
        return made | {
            "reported_at": draw(MOMENTS).astimezone(draw(OFFSETS)).isoformat(),
            "pain_score": draw(optional(10)),
            "weeks": draw(optional(5200)),
            "trend": draw(st.sampled_from((None, "better", "same", "worse"))),
            "age_years": draw(optional(120)),
            "country": draw(st.sampled_from((None, "ES", "ZZ"))),
            "answers": draw(st.fixed_dictionaries({}, optional=answers)),
            "device_decision": draw(st.none() | decided),
        }

    return report()


@st.composite
def clearances(draw: Draw) -> Json:
    cleared_at = min(draw(MOMENTS), START)
    return {"id": draw(IDS), "cleared_at": cleared_at.astimezone(draw(OFFSETS)).isoformat()}


PLANS = st.fixed_dictionaries(
    {
        "routine_id": st.just("daily-15-minutes"),
        "weekdays": st.sampled_from((["mon"], ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])),
        "times": st.sampled_from(([], ["00:00"], [f"{hour:02}:59" for hour in range(16, 24)])),
        "time_zone": st.sampled_from(("UTC", "Pacific/Kiritimati")),
        "starts_on": st.sampled_from(("2000-01-01", "2026-11-22", "2200-12-31")),
        "ends_on": st.sampled_from((None, "2200-12-31")),
        "paused": st.booleans(),
    }
)
DEVICE_TIMES = st.sampled_from(
    (
        *(None, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1970-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2026-11-22T12:00:01.9Z"),
    )
)


@st.composite
def lives(draw: Draw, rule_set: Json) -> Json:
    """Draw what one person uploads: partly singly, partly in a batch."""
    few: Json = {"max_size": 3, "unique_by": lambda record: record["id"]}
    first = draw(st.lists(sessions(st.none() | IDS), **few))
    known = st.sampled_from([None, *(session["id"] for session in first)])
    later = draw(st.lists(sessions(known), **few))
    taken = {session["id"] for session in first}
    return {
        "time_zone": draw(ZONES),
        "conditions": draw(st.sampled_from(([], ["diabetes"]))),
        "schedule": draw(PLANS),
        "sessions": first,
        "symptom_reports": draw(st.lists(reports(rule_set), **few)),
        "clearances": draw(st.lists(clearances(), max_size=1)),
        "batch": {
            "device_time": draw(DEVICE_TIMES),
            "sessions": [session for session in later if session["id"] not in taken],
            "symptom_reports": draw(st.lists(reports(rule_set), **few)),
            "clearances": draw(st.lists(clearances(), max_size=1)),
        },
    }


PATHS = {
    "sessions": "/v1/sessions",
    "symptom_reports": "/v1/symptom-reports",
    "clearances": "/v1/me/clearances",
}


def store(everything: Everything, life: Json) -> int:
    """Upload a life, assert that all of it is taken, and return how many records there are."""
    device = everything.device
    device.enrol(time_zone=life["time_zone"], conditions=life["conditions"])
    plan = device.put("/v1/me/schedule", life["schedule"])
    everything.document.judge(("PUT", "/v1/me/schedule"), plan)
    stored = 0
    for kind, path in PATHS.items():
        for record in life[kind]:
            first = everything.post(path, record)
            assert everything.post(path, record)["content_hash"] == first["content_hash"]
            stored += 1
    batch = dict(life["batch"])
    for kind in PATHS:
        alone = {record["id"] for record in life[kind]}
        batch[kind] = [record for record in batch[kind] if record["id"] not in alone]
    for status in ("created", "duplicate"):
        receipts = everything.post("/v1/batches", batch)["receipts"]
        assert [receipt for receipt in receipts if receipt["status"] != status] == []
    return stored + len(receipts)


@pytest.mark.fuzz
def test_whatever_is_accepted_is_read_by_every_operation_as_documented(
    client: TestClient, document: Document, database_url: str
) -> None:
    rule_set = client.get("/v1/triage/rule-set").json()
    stored = []

    @settings(
        max_examples=budget(quick=6, full=150),
        database=None,
        derandomize=not FULL,
        suppress_health_check=list(HealthCheck),
    )
    @given(lives(rule_set))
    def check(life: Json) -> None:
        everything = Everything(Device(client), document)
        stored.append(store(everything, life))
        read = everything.read()
        sent = [*life["sessions"], *life["batch"]["sessions"]]
        assert len(read["sessions"]) == len(sent)

    check()
    kind = database_url.partition(":")[0]
    answers = sum(document.judged.values())
    print(f"{kind}: {len(stored)} lives, {sum(stored)} records, {answers} answers")  # noqa: T201
    assert sum(stored) > len(stored)
    assert document.unread() == set()


@pytest.mark.fuzz
def test_hundreds_of_sessions_on_one_day_are_read_by_every_operation(
    client: TestClient, document: Document
) -> None:
    """834 sessions of two hours once made progress fail permanently."""
    everything = Everything(Device(client), document)
    everything.device.enrol()
    everything.device.put("/v1/me/schedule", everything.device.schedule())
    times = {"started_at": "2026-11-22T08:00:00Z", "ended_at": "2026-11-22T10:00:00Z"}
    for _ in range(budget(quick=1, full=3)):
        batch = {"sessions": [everything.device.session(**times) for _ in range(150)]}
        everything.post("/v1/batches", batch)
    for _ in range(budget(quick=0, full=2)):
        batch = {"sessions": [everything.device.session(**times) for _ in range(500)]}
        everything.post("/v1/batches", batch)
    everything.read()
    assert everything.get("/v1/me/progress")["weeks"][0]["minutes"] == 120


@st.composite
def histories(draw: Draw) -> tuple[list[Json], list[Json]]:
    """Draw sessions that correct each other in any way, near today, in two orders."""
    few: Json = {"min_size": 2, "max_size": 7, "unique_by": lambda record: record["id"]}
    made = draw(st.lists(sessions(st.none()), **few))
    ids = [session["id"] for session in made]
    for session in made:
        days = draw(st.integers(0, 4)) * datetime.timedelta(days=1)
        started_at = START - days - draw(st.integers(0, 7_200)) * SECOND
        session["started_at"] = started_at.isoformat()
        session["ended_at"] = (started_at + draw(st.integers(0, 9_000)) * SECOND).isoformat()
        corrected = draw(st.sampled_from([None, None, *ids]))
        session["replaces"] = None if corrected == session["id"] else corrected
    return made, draw(st.permutations(made))


@pytest.mark.fuzz
def test_late_or_in_order_the_figures_are_the_same(client: TestClient) -> None:
    @settings(
        max_examples=budget(quick=8, full=150),
        database=None,
        derandomize=not FULL,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories())
    def check(orders: tuple[list[Json], list[Json]]) -> None:
        found = []
        for order in orders:
            device = Device(client)
            device.enrol()
            for part in (order[:2], order[2:]):
                answer = device.client.post(
                    "/v1/batches", json={"sessions": part}, headers=device.headers
                )
                statuses = {receipt["status"] for receipt in answer.json()["receipts"]}
                assert statuses <= {"created"}
            found.append(device.get("/v1/me/progress").json())
        assert found[0] == found[1]

    check()


# What earlier versions have stored.


def rows_of_earlier_versions(participant_id: uuid.UUID) -> list[Json]:
    """Make sessions as versions before this one accepted them, thousands of them on one day."""
    day = datetime.datetime(2026, 11, 22, 8, tzinfo=datetime.UTC)
    row = {
        "participant_id": participant_id,
        "content_hash": "0" * 64,
        "received_at": day,
        "replaces": None,
        "routine_id": None,
        "started_at": day,
        "ended_at": day + datetime.timedelta(hours=2),
        "local_date": day.date(),
        "time_zone": "Europe/Madrid",
        "status": "completed",
        "items": [],
        "note": "x" * 500,
    }
    edge = datetime.datetime(1999, 12, 31, 23, 30, tzinfo=datetime.UTC)
    last = datetime.datetime(2201, 1, 1, 23, 58, 59, tzinfo=datetime.UTC)
    special: list[Json] = [
        # What 00:30 on 1 January 2000 at +01:00 was stored as; and the very edges of then.
        {"started_at": edge, "ended_at": edge, "local_date": datetime.date(2000, 1, 1)},
        {"started_at": EARLIEST, "ended_at": last, "local_date": datetime.date(1999, 12, 30)},
        {"local_date": datetime.date(2026, 11, 21)},
        {"time_zone": "localtime"},
        {"replaces": uuid.uuid4()},
    ]
    return [{**row, "id": uuid.uuid4(), **changes} for changes in (*special, *([{}] * 900))]


def test_what_was_stored_before_is_read_by_every_operation(
    client: TestClient, document: Document, database_url: str
) -> None:
    everything = Everything(Device(client), document)
    device = everything.device
    device.enrol()
    device.put("/v1/me/schedule", device.schedule())
    new_year = {"reported_at": "2000-01-01T00:30:00+01:00", "local_date": "2000-01-01"}
    device.post_report(device.report({"radiating_pain": "left"}, pain_score=10, **new_year))
    owner = uuid.UUID(device.participant_id)
    before = rows_of_earlier_versions(owner)

    async def as_it_was(db: AsyncSession) -> None:
        await db.execute(insert(ExerciseSession), before)
        mine = col(Participant.participant_id) == owner
        last = (await db.execute(select(col(Participant.last_change)).where(mine))).scalar_one()
        changes = [
            {
                "participant_id": owner,
                "number": number,
                "kind": "session",
                "record_id": row["id"],
                "deleted": False,
                "changed_at": row["received_at"],
            }
            for number, row in enumerate(before, last + 1)
        ]
        await db.execute(insert(RecordedChange), changes)
        await db.execute(update(Participant).values(last_change=last + len(changes)))

    in_database(database_url, as_it_was)
    read = everything.read()
    assert len(read["sessions"]) == len(before)
    (found,) = read["symptom_reports"]
    assert (found["reported_at"], found["local_date"]) == ("1999-12-31T23:30:00Z", "2000-01-01")
    assert [session["adjusted"] for session in read["sessions"]] == [[]] * len(before)
    assert document.unread() == set()


def test_an_instant_is_in_the_same_range_in_a_batch_and_by_itself(device: Device) -> None:
    early = {"started_at": "2000-01-01T00:30:00+01:00", "ended_at": "2000-01-01T01:00:00+01:00"}
    tooearly = {"started_at": "1999-12-31T00:30:00+01:00", "ended_at": "2000-01-01T01:00:00+01:00"}
    for changes, status in ((early, "created"), (tooearly, "rejected")):
        body = device.session(**changes)
        batch = {"sessions": [body]}
        answer = device.client.post("/v1/batches", json=batch, headers=device.headers).json()
        assert [receipt["status"] for receipt in answer["receipts"]] == [status]
        assert device.post_session(body).status_code == (200 if status == "created" else 422)
    for instant in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        response = device.post_session(device.session(started_at=instant))
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/started_at"


@pytest.mark.parametrize(
    ("device_time", "skew"),
    [
        ("0001-01-01T00:00:00Z", -(2**31 - 1)),
        ("9999-12-31T23:59:59-23:59", 2**31 - 1),
        ("1970-01-01T00:00:00Z", -1_795_348_800),
        ("2026-11-22T12:00:05Z", 5),
    ],
)
def test_a_clock_that_is_far_off_is_reported_in_32_bits(
    device: Device, device_time: str, skew: int
) -> None:
    batch = {"device_time": device_time}
    answer = device.client.post("/v1/batches", json=batch, headers=device.headers)
    assert answer.json()["clock_skew_seconds"] == skew


def test_a_cursor_beyond_every_number_is_ahead(device: Device) -> None:
    """A number that no column holds once was an error on PostgreSQL."""
    device.post_session(device.session())
    owner, _, record_id = decode_cursor(device.get("/v1/changes").json()["next_cursor"], 3)
    for number in ("2147483647", "2147483648", "9999999999"):
        response = device.get("/v1/changes", cursor=encode_cursor(owner, number, record_id))
        assert response.status_code == 422
        assert response.json()["errors"][0]["code"] == "cursor_ahead"
