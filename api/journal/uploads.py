"""What a client's record is: its content, its hash, and what is wrong with it. Pure.

Content is the validated record: UUIDs in lower case, instants in UTC and whole seconds, null the
same as left out, defaults left out. Two uploads are the same when their content is: what the server
corrects, it corrects after that.
"""

import datetime
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.core.canonical import content_hash
from api.core.errors import Fault
from api.core.zones import find_zone, one_spelling
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record

FUTURE_LIMIT = datetime.timedelta(days=1)
CLOCK_TOLERANCE = datetime.timedelta(minutes=5)
# The clocks furthest behind UTC and furthest ahead of it.
FURTHEST_WEST = datetime.timedelta(hours=-12)
FURTHEST_EAST = datetime.timedelta(hours=14)


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


def own_date(
    instant: datetime.datetime, time_zone: str, local_date: datetime.date
) -> datetime.date:
    """Return the person's own date of an instant: the one that was sent, unless it can't be.

    In a zone that is known here there is one date. In any other, what was sent may be right as long
    as it is that day somewhere; where it is so nowhere, the date in UTC stands for it.
    """
    zone = find_zone(time_zone)
    if zone is not None:
        return instant.astimezone(zone).date()
    if (instant + FURTHEST_WEST).date() <= local_date <= (instant + FURTHEST_EAST).date():
        return local_date
    return instant.date()


def originals(replaces: Mapping[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Name for each correction the first of what it corrects, by what each of them replaces."""
    found: dict[uuid.UUID, uuid.UUID] = {}
    for correction in replaces:
        way: dict[uuid.UUID, None] = {}
        at = correction
        while at in replaces and at not in found and at not in way:
            way[at] = None
            at = replaces[at]
        found |= dict.fromkeys(way, found.get(at, at))
    return found


def is_stored_as(stored: Any, record: Record) -> bool:
    """Tell whether a stored row is of this record, sent again."""
    content = content_of(record)
    if content_hash(content) == stored.content_hash:
        return True
    # It may have been stored when a zone was kept in the spelling it came in.
    as_then = {**content, "time_zone": getattr(stored, "time_zone", None)}
    same_zone = one_spelling(as_then["time_zone"] or "") == content.get("time_zone")
    return same_zone and content_hash(as_then) == stored.content_hash


def _in_the_future(
    field: str, instant: datetime.datetime, now: datetime.datetime
) -> Iterator[Fault]:
    if instant > now + FUTURE_LIMIT:
        message = "lies more than a day in the future; check the phone's clock"
        yield Fault(f"/{field}", "in_the_future", message)


def session_faults(
    session: NewSession, known_activities: Iterable[str], now: datetime.datetime
) -> Iterator[Fault]:
    """Say what is wrong with a session beyond its shape."""
    yield from _in_the_future("started_at", session.started_at, now)
    if session.ended_at < session.started_at:
        yield Fault("/ended_at", "ends_before_start", "lies before started_at")
    else:
        yield from _in_the_future("ended_at", session.ended_at, now)
    if session.replaces == session.id:
        yield Fault("/replaces", "replaces_itself", "a session can't replace itself")
    known = set(known_activities)
    for index, item in enumerate(session.items):
        if item.activity_id not in known:
            message = f'"{item.activity_id}" is no activity of any release'
            yield Fault(f"/items/{index}/activity_id", "unknown_activity", message)


def report_faults(report: NewSymptomReport, now: datetime.datetime) -> Iterator[Fault]:
    """Say what is wrong with a symptom report beyond its shape."""
    yield from _in_the_future("reported_at", report.reported_at, now)


def clearance_faults(clearance: NewClearance, now: datetime.datetime) -> Iterator[Fault]:
    """Say what is wrong with a clearance: one for the future would lift what is not there yet."""
    if clearance.cleared_at > now + CLOCK_TOLERANCE:
        yield Fault("/cleared_at", "in_the_future", "lies in the future; check the phone's clock")
