"""Stores sessions, symptom reports and clearances exactly once, and deletes them permanently."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import delete, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col, select

from api.core.canonical import simple_content_hash
from api.core.db import UNSYNCED, NewRow, as_read
from api.core.errors import Fault, NotFound, refuse
from api.journal import decisions, reading, uploads
from api.journal.errors import IdConflict
from api.journal.history import PastReport
from api.journal.models import Clearance, ExerciseSession, SymptomReport
from api.journal.schemas import (
    LoggedClearance,
    LoggedSession,
    LoggedSymptomReport,
    NewClearance,
    NewSession,
    NewSymptomReport,
    Record,
)
from api.journal.writing import KIND_OF, RecordModel, StoredRecord, Writing, find_records
from api.participants.changes import ChangedKind
from api.triage.engines import level_as_then
from api.triage.evaluation import Case, Json, decide
from api.triage.reports import read_answers

Stored_co = TypeVar("Stored_co", bound=StoredRecord, covariant=True)


@dataclass(frozen=True)
class Kept(Generic[Stored_co]):
    """The result of an upload: stored now, stored before, or deleted before and not stored."""

    status: Literal["created", "duplicate", "deleted"]
    # As stored, or as it would be had it not been deleted.
    row: Stored_co
    # The decision on a report, unless it was stored before.
    decision: Json | None = None
    # Whether it is a new report, and there may be later ones.
    is_late: bool = False

    @property
    def created(self) -> bool:
        """Whether it is new."""
        return self.status == "created"


def _repeated(
    writing: Writing, model: type[RecordModel], record: Record
) -> Kept[RecordModel] | None:
    """Recognise a record that was stored before, which needs no checks and no new decision."""
    key = (KIND_OF[type(record)], record.id)
    stored = writing.stored.get(key)
    if not isinstance(stored, model) or key in writing.deleted:
        return None
    return Kept("duplicate", stored) if uploads.is_stored_as(stored, record) else None


def row_of(
    participant_id: uuid.UUID, record: Record, received_at: datetime.datetime
) -> dict[str, Any]:
    """Return the columns of a record that come from the upload itself.

    `local_date` is that of the instant in its zone; a different one that was sent is kept beside
    it. Columns that depend on triage or on other records are left to the caller.
    """
    content, values = uploads.content_of(record), vars(record).copy()
    match record:
        case NewSession():
            values["items"] = content["items"]
            values |= _dated(record.started_at, record.time_zone, record.local_date)
        case NewSymptomReport():
            del values["device_decision"]
            values["answers"] = content.get("answers", {})
            values |= _dated(record.reported_at, record.time_zone, record.local_date)
    return {
        **values,
        "participant_id": participant_id,
        "content_hash": simple_content_hash(content),
        "received_at": received_at,
    }


def _dated(
    instant: datetime.datetime, time_zone: str, sent: datetime.date
) -> dict[str, datetime.date | None]:
    own = uploads.own_date(instant, time_zone, sent)
    return {"local_date": own, "sent_local_date": sent if sent != own else None}


def _keep(
    writing: Writing,
    model: type[RecordModel],
    record: Record,
    more: Mapping[str, Any] | None = None,
    rows: Sequence[NewRow] = (),
) -> Kept[RecordModel]:
    """Store a record, with rows that belong to it, unless its id is taken or was deleted."""
    key = (KIND_OF[type(record)], record.id)
    values = {**row_of(writing.participant_id, record, writing.now), **(more or {})}
    sent = as_read(model, values)
    if key in writing.deleted:
        return Kept("deleted", sent)
    stored = writing.stored.get(key)
    if stored is not None:
        message = (
            f"{record.id} is stored with other content (stored {stored.content_hash}, "
            f"sent {sent.content_hash}). Use a new id, and `replaces` to correct a session."
        )
        raise IdConflict(message, faults=[Fault("/id", "id_conflict", message)])
    writing.add(key[0], sent, [(model, values), *rows])
    return Kept("created", sent)


async def _find(writing: Writing, model: type[RecordModel], record_id: uuid.UUID) -> RecordModel:
    found = await find_records(writing.db, model, writing.participant_id, {record_id})
    if not found:
        raise NotFound("Unknown record.")
    return found[0]


async def keep_session(writing: Writing, session: NewSession) -> Kept[ExerciseSession]:
    """Store a session once."""
    if repeated := _repeated(writing, ExerciseSession, session):
        return repeated
    refuse(uploads.session_faults(session, writing.known_activities, writing.now))
    original = _original_of(writing, session.replaces)
    kept = _keep(writing, ExerciseSession, session, {"original": original})
    if kept.created and original is not None:
        await _link_later(writing, session.id, original)
    key = (ChangedKind.SESSION, session.id)
    if kept.status == "deleted" and session.replaces is not None and key not in writing.ever_stored:
        # Deleting a correction deletes what it corrects, also if the correction arrives afterwards.
        # If it was stored before, that happened when it was deleted.
        await _delete_sessions(writing, session.replaces)
    return kept


def _original_of(writing: Writing, replaces: uuid.UUID | None) -> uuid.UUID | None:
    """Return the first session in the chain that a new one corrects, as far as it has arrived."""
    if replaces is None:
        return None
    earlier = writing.stored.get((ChangedKind.SESSION, replaces))
    original = earlier.original if isinstance(earlier, ExerciseSession) else None
    return original or replaces


async def _link_later(writing: Writing, session_id: uuid.UUID, original: uuid.UUID) -> None:
    """Link corrections that arrived before this session to the beginning of its chain."""
    await writing.flush()
    own = col(ExerciseSession.participant_id) == writing.participant_id
    statement = update(ExerciseSession).where(own, col(ExerciseSession.original) == session_id)
    await writing.db.exec(statement.values(original=original), execution_options=UNSYNCED)
    for row in writing.stored.values():
        if isinstance(row, ExerciseSession) and row.original == session_id:
            _know_original(writing, row.id, original)


async def _link_again(writing: Writing, original: uuid.UUID) -> None:
    """After a deletion, link the remaining corrections to what is still stored of their chain."""
    chain = (
        col(ExerciseSession.participant_id) == writing.participant_id,
        col(ExerciseSession.original) == original,
    )
    left = await writing.db.exec(select(ExerciseSession.id, ExerciseSession.replaces).where(*chain))
    replaces = {session_id: earlier for session_id, earlier in left if earlier is not None}
    for session_id, first in uploads.originals(replaces).items():
        if first != original:
            statement = update(ExerciseSession).where(*chain, col(ExerciseSession.id) == session_id)
            await writing.db.exec(statement.values(original=first), execution_options=UNSYNCED)
            _know_original(writing, session_id, first)


def _know_original(writing: Writing, session_id: uuid.UUID, original: uuid.UUID) -> None:
    row = writing.stored.get((ChangedKind.SESSION, session_id))
    if row is not None:
        # As it is stored now, without marking it as changed.
        set_committed_value(row, "original", original)


async def log_session(writing: Writing, session: NewSession) -> tuple[LoggedSession, bool]:
    """Store a session once; return it, and whether it is new."""
    await writing.look_up([session])
    kept = await keep_session(writing, session)
    answer = reading.session_of(
        kept.row, writing.rule_set, writing.language, deleted=kept.status == "deleted"
    )
    return answer, kept.created


async def keep_report(writing: Writing, report: NewSymptomReport) -> Kept[SymptomReport]:
    """Store a symptom report with its decision, once.

    Its effect on later reports that are already stored is left to `reconsider_later`.
    """
    if repeated := _repeated(writing, SymptomReport, report):
        return repeated
    answers = read_answers(writing.rule_set, report)
    refuse(uploads.report_faults(report, writing.now))
    past = PastReport(report.id, report.reported_at, report.pain_score)
    has_later = True
    if writing.timeline is None:
        episode, has_later = await decisions.episode_before(
            writing.db, writing.participant_id, past
        )
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
    decided = decide(writing.rule_set, case)
    more = {
        "decision_id": uuid.UUID(decided.document["id"]),
        **await _compare_with_device(writing, report, case),
    }
    rows = decisions.rows_of(writing.participant_id, writing.rule_set, case, decided)
    kept = _keep(writing, SymptomReport, report, more, rows)
    if kept.status == "deleted":
        # It is not stored, and its sender gets a decision nevertheless.
        return Kept("deleted", kept.row, {**decided.document, "id": None})
    if writing.timeline is not None:
        writing.timeline.add(past)
    return Kept("created", kept.row, decided.document, is_late=has_later)


async def file_report(
    writing: Writing, report: NewSymptomReport
) -> tuple[LoggedSymptomReport, bool]:
    """Store a symptom report with its decision, once; return it, and whether it is new.

    A report that arrives late can change the history of later ones, which are then decided again.
    """
    await writing.look_up([report])
    kept = await keep_report(writing, report)
    if kept.is_late:
        past = PastReport(report.id, report.reported_at, report.pain_score)
        await decisions.reconsider_later(writing, past, until=past)
    if kept.decision is None:
        return await reading.get_report(writing.db, writing.participant_id, report.id), False
    answer = reading.report_of(kept.row, kept.decision, deleted=kept.status == "deleted")
    return answer, kept.created


async def _compare_with_device(
    writing: Writing, report: NewSymptomReport, case: Case
) -> dict[str, str | bool | None]:
    """Compare the level that the device displayed with what its own rule set gives here."""
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


async def keep_clearance(writing: Writing, clearance: NewClearance) -> Kept[Clearance]:
    """Store a clearance by a professional, once."""
    if repeated := _repeated(writing, Clearance, clearance):
        return repeated
    refuse(uploads.clearance_faults(clearance, writing.now))
    return _keep(writing, Clearance, clearance)


async def clear(writing: Writing, clearance: NewClearance) -> tuple[LoggedClearance, bool]:
    """Store a clearance by a professional, once; return it, and whether it is new."""
    await writing.look_up([clearance])
    kept = await keep_clearance(writing, clearance)
    return reading.clearance_of(kept.row), kept.created


async def _delete_sessions(writing: Writing, newest: uuid.UUID) -> None:
    """Delete a session and everything it corrects; parts that arrive later are not stored."""
    await writing.flush()
    record_id: uuid.UUID | None = newest
    original: uuid.UUID | None = None
    kind = ChangedKind.SESSION
    while record_id is not None:
        if await _is_deleted(writing, kind, record_id):
            break
        statement = (
            delete(ExerciseSession)
            .where(
                col(ExerciseSession.participant_id) == writing.participant_id,
                col(ExerciseSession.id) == record_id,
            )
            .returning(col(ExerciseSession.replaces), col(ExerciseSession.original))
        )
        row = (await writing.db.exec(statement, execution_options=UNSYNCED)).first()
        writing.tombstone(kind, record_id)
        record_id, of_chain = row if row is not None else (None, None)
        original = original or of_chain
    if original is not None:
        await _link_again(writing, original)


async def _is_deleted(writing: Writing, kind: ChangedKind, record_id: uuid.UUID) -> bool:
    await writing.look_up_ids({record_id})
    return (kind, record_id) in writing.deleted


async def delete_session(writing: Writing, session_id: uuid.UUID) -> None:
    """Permanently delete a session with everything it corrects."""
    if await _is_deleted(writing, ChangedKind.SESSION, session_id):
        return
    await _find(writing, ExerciseSession, session_id)
    await _delete_sessions(writing, session_id)


async def delete_report(writing: Writing, report_id: uuid.UUID) -> None:
    """Permanently delete a report and its decisions; its hold on the activities remains."""
    kind = ChangedKind.SYMPTOM_REPORT
    if await _is_deleted(writing, kind, report_id):
        return
    past = decisions.past_report(await _find(writing, SymptomReport, report_id))
    statement = delete(SymptomReport).where(
        col(SymptomReport.participant_id) == writing.participant_id,
        col(SymptomReport.id) == report_id,
    )
    await writing.db.exec(statement, execution_options=UNSYNCED)
    writing.tombstone(kind, report_id)
    await decisions.reconsider_later(writing, past, until=past, deleted=True)
