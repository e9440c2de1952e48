"""What a client's record is: its content, its hash, and what is wrong with it. Pure.

Content is the validated record: UUIDs in lower case, instants in UTC and whole seconds, null the
same as left out, defaults left out. Two uploads are the same when their content is.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from api.core.canonical import content_hash
from api.core.errors import Fault
from api.core.zones import one_spelling
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record

FUTURE_LIMIT = datetime.timedelta(days=1)
ONE_DAY = datetime.timedelta(days=1)
CLOCK_TOLERANCE = datetime.timedelta(minutes=5)


def content_of(record: Record) -> dict[str, Any]:
    """Return a record's content."""
    content = record.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if "answers" in content:
        content["answers"] = {k: v for k, v in content["answers"].items() if v is not None}
        if not content["answers"]:
            del content["answers"]
    return content


def hash_of(record: Record) -> str:
    """Return the hash of a record's content."""
    return content_hash(content_of(record))


def is_stored_as(stored: Any, record: Record) -> bool:
    """Tell whether a stored row is of this record, sent again."""
    content = content_of(record)
    if content_hash(content) == stored.content_hash:
        return True
    # It may have been stored when a zone was kept in the spelling it came in.
    as_then = {**content, "time_zone": getattr(stored, "time_zone", None)}
    same_zone = one_spelling(as_then["time_zone"] or "") == content.get("time_zone")
    return same_zone and content_hash(as_then) == stored.content_hash


def _when(
    field: str, instant: datetime.datetime, local_date: datetime.date, now: datetime.datetime
) -> Iterator[Fault]:
    if instant > now + FUTURE_LIMIT:
        message = "lies more than a day in the future; check the phone's clock"
        yield Fault(f"/{field}", "in_the_future", message)
    if abs(local_date - instant.date()) > ONE_DAY:
        yield Fault("/local_date", "date_mismatch", f"is more than a day away from {field}")


def session_faults(
    session: NewSession, known_activities: Iterable[str], now: datetime.datetime
) -> Iterator[Fault]:
    """Say what is wrong with a session beyond its shape."""
    yield from _when("started_at", session.started_at, session.local_date, now)
    if session.ended_at < session.started_at:
        yield Fault("/ended_at", "ends_before_start", "lies before started_at")
    elif session.ended_at > now + FUTURE_LIMIT:
        message = "lies more than a day in the future; check the phone's clock"
        yield Fault("/ended_at", "in_the_future", message)
    if session.replaces == session.id:
        yield Fault("/replaces", "replaces_itself", "a session can't replace itself")
    known = set(known_activities)
    for index, item in enumerate(session.items):
        if item.activity_id not in known:
            message = f'"{item.activity_id}" is no activity of any release'
            yield Fault(f"/items/{index}/activity_id", "unknown_activity", message)


def report_faults(report: NewSymptomReport, now: datetime.datetime) -> Iterator[Fault]:
    """Say what is wrong with a symptom report beyond its shape."""
    yield from _when("reported_at", report.reported_at, report.local_date, now)


def clearance_faults(clearance: NewClearance, now: datetime.datetime) -> Iterator[Fault]:
    """Say what is wrong with a clearance: one for the future would lift what is not there yet."""
    if clearance.cleared_at > now + CLOCK_TOLERANCE:
        yield Fault("/cleared_at", "in_the_future", "lies in the future; check the phone's clock")
