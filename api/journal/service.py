"""Keeps sessions, symptom reports and clearances: once each, whatever the line does."""

import datetime
import uuid
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

from sqlalchemy import delete, select, update

from api.core.db import insert_once
from api.core.errors import Fault, refuse
from api.journal import decisions, reading, uploads
from api.journal.errors import IdConflict
from api.journal.history import PastReport
from api.journal.models import REPORTS, SESSIONS
from api.journal.schemas import (
    LoggedSession,
    NewClearance,
    NewSession,
    NewSymptomReport,
    Record,
    StoredClearance,
    StoredSymptomReport,
)
from api.journal.writing import KIND_OF, TABLES, Writing
from api.participants.changes import ChangedKind, deleted_among, was_stored
from api.triage.engines import level_as_then
from api.triage.evaluation import Case, Json, decide
from api.triage.reports import read_answers

Row = Any


@dataclass(frozen=True)
class Kept:
    """What became of a record: stored now, stored before, or deleted before and left so."""

    status: Literal["created", "duplicate", "deleted"]
    # As it is stored, or would be if it had not been deleted.
    row: Row
    # Of a report that is not stored: what is answered to it all the same.
    decision: Json | None = None

    @property
    def created(self) -> bool:
        """Tell whether it was new."""
        return self.status == "created"


def _repeated(writing: Writing, record: Record) -> Kept | None:
    """Recognise what was stored before: nothing of it has to be checked or decided again."""
    key = (KIND_OF[type(record)], record.id)
    stored = writing.stored.get(key)
    if stored is None or key in writing.deleted:
        return None
    return Kept("duplicate", stored) if uploads.is_stored_as(stored, record) else None


def row_of(
    participant_id: uuid.UUID, record: Record, received_at: datetime.datetime
) -> dict[str, Any]:
    """Make the row of a record: what was sent, whose it is, and when it came.

    The person's own date is the one of instant and zone; what was sent instead stands beside it.
    What triage says to a report, and what other records say of a session, belongs to their rows as
    well, and is left to the caller.
    """
    content = uploads.content_of(record)
    match record:
        case NewSession():
            values = {**record.model_dump(exclude={"items"}), "items": content["items"]}
            values |= _dated(record.started_at, record.time_zone, record.local_date)
        case NewSymptomReport():
            values = record.model_dump(exclude={"device_decision"})
            values["answers"] = content.get("answers", {})
            values |= _dated(record.reported_at, record.time_zone, record.local_date)
        case _:
            values = record.model_dump()
    return {
        **values,
        "participant_id": participant_id,
        "content_hash": uploads.hash_of(record),
        "received_at": received_at,
    }


def _dated(
    instant: datetime.datetime, time_zone: str, sent: datetime.date
) -> dict[str, datetime.date | None]:
    own = uploads.own_date(instant, time_zone, sent)
    return {"local_date": own, "sent_local_date": sent if sent != own else None}


async def _keep(
    writing: Writing, kind: ChangedKind, record: Record, more: dict[str, Any] | None = None
) -> Kept:
    """Store a record unless its id is taken; refuse an id that is taken by other content."""
    sent = {**row_of(writing.participant_id, record, writing.now), **(more or {})}
    if (kind, record.id) in writing.deleted:
        return Kept("deleted", SimpleNamespace(**sent))
    if await insert_once(writing.db, TABLES[kind], sent):
        writing.created(kind, record.id)
        return Kept("created", SimpleNamespace(**sent))
    stored = await reading.find_record(writing.db, TABLES[kind], writing.participant_id, record.id)
    if not uploads.is_stored_as(stored, record):
        message = (
            f"{record.id} is stored with other content (stored {stored.content_hash}, "
            f"sent {sent['content_hash']}). Use a new id, and `replaces` to correct a session."
        )
        raise IdConflict(message, faults=[Fault("/id", "id_conflict", message)])
    return Kept("duplicate", stored)


async def keep_session(writing: Writing, session: NewSession) -> Kept:
    """Store a session once."""
    if repeated := _repeated(writing, session):
        return repeated
    faults = uploads.session_faults(session, writing.known_activities, writing.now)
    refuse(faults)
    original = await _original_of(writing, session.replaces)
    kept = await _keep(writing, ChangedKind.SESSION, session, {"original": original})
    if kept.created and original is not None:
        await _link_later(writing, session.id, original)
    if kept.status == "deleted" and session.replaces is not None:
        # Deleting a correction takes what it corrects along, also where it comes afterwards. Where
        # it was stored once, that was done when it was deleted.
        known = await was_stored(writing.db, writing.participant_id, session.id)
        if not known:
            await _delete_sessions(writing, session.replaces)
    return kept


async def _original_of(writing: Writing, replaces: uuid.UUID | None) -> uuid.UUID | None:
    """Find the first of the sessions that a new one corrects, as far as they have arrived."""
    if replaces is None:
        return None
    statement = select(SESSIONS.c.original).where(
        SESSIONS.c.participant_id == writing.participant_id, SESSIONS.c.id == replaces
    )
    earlier: uuid.UUID | None = (await writing.db.execute(statement)).scalar_one_or_none()
    return earlier or replaces


async def _link_later(writing: Writing, session_id: uuid.UUID, original: uuid.UUID) -> None:
    """Lead corrections that arrived before what they correct on to where that leads back to."""
    own = SESSIONS.c.participant_id == writing.participant_id
    statement = update(SESSIONS).where(own, SESSIONS.c.original == session_id)
    await writing.db.execute(statement.values(original=original))


async def _lead_back_again(writing: Writing, original: uuid.UUID) -> None:
    """Lead the corrections that are left after a deletion back as far as what is still stored."""
    of_it = (SESSIONS.c.participant_id == writing.participant_id, SESSIONS.c.original == original)
    left = select(SESSIONS.c.id, SESSIONS.c.replaces).where(*of_it)
    replaces = {row.id: row.replaces for row in await writing.db.execute(left)}
    for session_id, first in uploads.originals(replaces).items():
        if first != original:
            statement = update(SESSIONS).where(*of_it, SESSIONS.c.id == session_id)
            await writing.db.execute(statement.values(original=first))


async def log_session(writing: Writing, session: NewSession) -> tuple[LoggedSession, bool]:
    """Store a session once; tell whether it was new."""
    await writing.look_up([session])
    kept = await keep_session(writing, session)
    answer = reading.session_of(
        kept.row, writing.rule_set, writing.language, deleted=kept.status == "deleted"
    )
    return answer, kept.created


async def keep_report(writing: Writing, report: NewSymptomReport) -> Kept:
    """Store a symptom report with its decision, once.

    What it means for reports that are stored already is left to `reconsider_later`.
    """
    if repeated := _repeated(writing, report):
        return repeated
    answers = read_answers(writing.rule_set, report)
    refuse(uploads.report_faults(report, writing.now))
    past = PastReport(report.id, report.reported_at, report.pain_score)
    if writing.timeline is None:
        episode = await decisions.episode_before(writing.db, writing.participant_id, past)
    else:
        episode = writing.timeline.episode_before(past)
    case = Case(
        answers,
        writing.language,
        writing.now,
        report_id=report.id,
        reported_at=report.reported_at,
        local_date=uploads.own_date(report.reported_at, report.time_zone, report.local_date),
        country=report.country,
        history_facts=episode.facts_of(past),
    )
    made = decide(writing.rule_set, case)
    says = {"decision_id": uuid.UUID(made[0]["id"]), **await _device_says(writing, report, case)}
    kept = await _keep(writing, ChangedKind.SYMPTOM_REPORT, report, says)
    if kept.created:
        await decisions.store_decision(
            writing.db, writing.participant_id, writing.rule_set, case, made
        )
        if writing.timeline is not None:
            writing.timeline.add(past)
    if kept.status == "deleted":
        # Whoever sends it gets an answer to it all the same.
        return Kept("deleted", kept.row, {**made[0], "id": None})
    return kept


async def file_report(
    writing: Writing, report: NewSymptomReport
) -> tuple[StoredSymptomReport, bool]:
    """Store a symptom report with its decision, once; tell whether it was new.

    A report that arrives late can change what the later ones mean: their decisions are made again.
    """
    await writing.look_up([report])
    kept = await keep_report(writing, report)
    if kept.decision is not None:
        return reading.report_of(kept.row, kept.decision, deleted=True), False
    if kept.created:
        past = PastReport(report.id, report.reported_at, report.pain_score)
        await decisions.reconsider_later(writing, past, until=past)
    return await reading.get_report(writing.db, writing.participant_id, report.id), kept.created


async def _device_says(writing: Writing, report: NewSymptomReport, case: Case) -> dict[str, Any]:
    """Compare what the phone showed with what its own rule set says here."""
    shown = report.device_decision
    if shown is None:
        return {"device_level": None, "device_rule_set_hash": None, "device_agrees": None}
    rule_set = await writing.rule_sets.find(writing.db, shown.rule_set_hash)
    agrees = None
    if rule_set is not None:
        agrees = level_as_then(rule_set, case) == shown.level
    return {
        "device_level": shown.level.value,
        "device_rule_set_hash": shown.rule_set_hash,
        "device_agrees": agrees,
    }


async def keep_clearance(writing: Writing, clearance: NewClearance) -> Kept:
    """Store once that a professional has said it is fine."""
    if repeated := _repeated(writing, clearance):
        return repeated
    refuse(uploads.clearance_faults(clearance, writing.now))
    return await _keep(writing, ChangedKind.CLEARANCE, clearance)


async def clear(writing: Writing, clearance: NewClearance) -> tuple[StoredClearance, bool]:
    """Store once that a professional has said it is fine; tell whether it was new."""
    kept = await keep_clearance(writing, clearance)
    return reading.clearance_of(kept.row), kept.created


async def _delete_sessions(writing: Writing, newest: uuid.UUID) -> None:
    """Delete a session and all that it corrects; what has not arrived yet won't be stored."""
    record_id: uuid.UUID | None = newest
    original: uuid.UUID | None = None
    kind = ChangedKind.SESSION
    while record_id is not None:
        writing.deleted |= await deleted_among(writing.db, writing.participant_id, {record_id})
        if (kind, record_id) in writing.deleted:
            break
        statement = (
            delete(SESSIONS)
            .where(SESSIONS.c.participant_id == writing.participant_id, SESSIONS.c.id == record_id)
            .returning(SESSIONS.c.replaces, SESSIONS.c.original)
        )
        row = (await writing.db.execute(statement)).first()
        writing.tombstone(kind, record_id)
        record_id = row.replaces if row is not None else None
        original = original or (row.original if row is not None else None)
    if original is not None:
        await _lead_back_again(writing, original)


async def _refuse_unknown(writing: Writing, kind: ChangedKind, record_id: uuid.UUID) -> bool:
    """Tell whether a record is there to be deleted; one that never was is not found."""
    writing.deleted |= await deleted_among(writing.db, writing.participant_id, {record_id})
    if (kind, record_id) in writing.deleted:
        return False
    await reading.find_record(writing.db, TABLES[kind], writing.participant_id, record_id)
    return True


async def delete_session(writing: Writing, session_id: uuid.UUID) -> None:
    """Delete a session with all that it corrects, for good."""
    if await _refuse_unknown(writing, ChangedKind.SESSION, session_id):
        await _delete_sessions(writing, session_id)


async def delete_report(writing: Writing, report_id: uuid.UUID) -> None:
    """Delete a report and its decisions, for good; what it put on hold stays on hold."""
    kind = ChangedKind.SYMPTOM_REPORT
    if not await _refuse_unknown(writing, kind, report_id):
        return
    row = await reading.find_record(writing.db, REPORTS, writing.participant_id, report_id)
    statement = delete(REPORTS).where(
        REPORTS.c.participant_id == writing.participant_id, REPORTS.c.id == report_id
    )
    await writing.db.execute(statement)
    writing.tombstone(kind, report_id)
    gone = decisions.past_report(row)
    await decisions.reconsider_later(writing, gone, until=gone, deleted=True)
