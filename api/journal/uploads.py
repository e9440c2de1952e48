"""The content of an uploaded record, its hash, and its faults. Pure.

Content is the validated record: UUIDs in lower case, instants in UTC and whole seconds, without
nulls and defaults. Two uploads are the same if their contents are equal; the server applies its
corrections after that comparison.
"""

import datetime
import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from api.core.canonical import simple_content_hash
from api.core.errors import Fault
from api.core.zones import find_zone, one_spelling
from api.journal.models import Clearance, ExerciseSession, SymptomReport
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record

FUTURE_LIMIT = datetime.timedelta(days=1)
CLOCK_TOLERANCE = datetime.timedelta(minutes=5)
# The extreme UTC offsets.
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


def own_date(
    instant: datetime.datetime, time_zone: str, local_date: datetime.date
) -> datetime.date:
    """Return the local date of an instant: the one that was sent, unless it is impossible.

    A known zone gives the date. In an unknown zone, the sent date is accepted if it is that day
    anywhere on earth; otherwise the date in UTC is used.
    """
    zone = find_zone(time_zone)
    if zone is not None:
        return instant.astimezone(zone).date()
    if (instant + FURTHEST_WEST).date() <= local_date <= (instant + FURTHEST_EAST).date():
        return local_date
    return instant.date()


def originals(replaces: Mapping[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Return for each correction the first session in its chain, by what each one replaces."""
    found: dict[uuid.UUID, uuid.UUID] = {}
    for correction in replaces:
        way: dict[uuid.UUID, None] = {}
        at = correction
        while at in replaces and at not in found and at not in way:
            way[at] = None
            at = replaces[at]
        found |= dict.fromkeys(way, found.get(at, at))
    return found


def is_stored_as(stored: ExerciseSession | SymptomReport | Clearance, record: Record) -> bool:
    """Return whether a stored row has the content of this upload."""
    content = content_of(record)
    if simple_content_hash(content) == stored.content_hash:
        return True
    # Older rows keep the zone in the spelling it was sent in.
    as_then = {**content, "time_zone": getattr(stored, "time_zone", None)}
    same_zone = one_spelling(as_then["time_zone"] or "") == content.get("time_zone")
    return same_zone and simple_content_hash(as_then) == stored.content_hash


def _in_the_future(
    field: str, instant: datetime.datetime, now: datetime.datetime
) -> Iterator[Fault]:
    if instant > now + FUTURE_LIMIT:
        message = "is more than a day in the future; check the device's clock"
        yield Fault(f"/{field}", "in_the_future", message)


def session_faults(
    session: NewSession, known_activities: Collection[str], now: datetime.datetime
) -> Iterator[Fault]:
    """Yield the faults of a session that a schema cannot express."""
    yield from _in_the_future("started_at", session.started_at, now)
    if session.ended_at < session.started_at:
        yield Fault("/ended_at", "ends_before_start", "must not be before started_at")
    else:
        yield from _in_the_future("ended_at", session.ended_at, now)
    if session.replaces == session.id:
        yield Fault("/replaces", "replaces_itself", "a session cannot replace itself")
    for index, item in enumerate(session.items):
        if item.activity_id not in known_activities:
            message = f"Unknown activity `{item.activity_id}`."
            yield Fault(f"/items/{index}/activity_id", "unknown_activity", message)


def report_faults(report: NewSymptomReport, now: datetime.datetime) -> Iterator[Fault]:
    """Yield the faults of a symptom report that a schema cannot express."""
    yield from _in_the_future("reported_at", report.reported_at, now)


def clearance_faults(clearance: NewClearance, now: datetime.datetime) -> Iterator[Fault]:
    """Yield the faults of a clearance: one in the future would clear reports yet to come."""
    if clearance.cleared_at > now + CLOCK_TOLERANCE:
        yield Fault("/cleared_at", "in_the_future", "is in the future; check the device's clock")
