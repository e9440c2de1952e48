"""Keeps sessions, symptom reports and decisions: once each, whatever the line does."""

import datetime
import uuid
from typing import Any

from sqlalchemy import Select, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.content.rule_set import ENGINE
from api.content.service import known_activities
from api.core.clock import Clock
from api.core.db import insert_once
from api.core.errors import NotFound
from api.http.pages import decode_cursor, encode_cursor, unreadable_cursor
from api.journal import uploads
from api.journal.errors import IdConflict
from api.journal.models import DECISIONS, REPORTS, SESSIONS
from api.journal.schemas import (
    LoggedItem,
    LoggedSession,
    NewSession,
    NewSymptomReport,
    SessionList,
    StoredSymptomReport,
    SymptomReportList,
)
from api.triage.evaluation import Case, decide
from api.triage.reports import read_answers
from api.triage.rules import RuleSet
from api.triage.schemas import Decision

Row = Any


def _conflict(record_id: uuid.UUID, stored: str, sent: str) -> IdConflict:
    message = (
        f"{record_id} is stored with other content (stored {stored}, sent {sent}). "
        "Use a new id, and `replaces` to correct a session."
    )
    return IdConflict(message)


def _session(row: Row) -> LoggedSession:
    blank = dict.fromkeys(LoggedItem.model_fields)
    items = [LoggedItem(**{**blank, "skipped": False, **item}) for item in row.items]
    names = set(LoggedSession.model_fields) - {"items"}
    return LoggedSession(items=items, **{name: getattr(row, name) for name in names})


def _report(row: Row, document: dict[str, Any]) -> StoredSymptomReport:
    names = set(StoredSymptomReport.model_fields) - {"decision"}
    return StoredSymptomReport(
        decision=Decision.model_validate(document),
        **{name: getattr(row, name) for name in names},
    )


async def log_session(
    db: AsyncSession, participant_id: uuid.UUID, session: NewSession, clock: Clock
) -> tuple[LoggedSession, bool]:
    """Store a session once; tell whether it was new."""
    now = clock.now()
    known = await known_activities(db, {item.activity_id for item in session.items})
    uploads.refuse(uploads.session_faults(session, known, now))
    content = uploads.content_of(session)
    content_hash = uploads.hash_of(session)
    values = {
        **session.model_dump(exclude={"items"}),
        "items": content["items"],
        "participant_id": participant_id,
        "content_hash": content_hash,
        "received_at": now,
    }
    created = await insert_once(db, SESSIONS, values)
    stored = await _find(db, SESSIONS, participant_id, session.id)
    if stored.content_hash != content_hash:
        raise _conflict(session.id, stored.content_hash, content_hash)
    return _session(stored), created


async def file_report(
    db: AsyncSession,
    participant_id: uuid.UUID,
    report: NewSymptomReport,
    rule_set: RuleSet,
    language: str,
    clock: Clock,
) -> tuple[StoredSymptomReport, bool]:
    """Store a symptom report with its decision, once; tell whether it was new."""
    now = clock.now()
    answers = read_answers(rule_set, report)
    uploads.refuse(uploads.report_faults(report, now))
    content_hash = uploads.hash_of(report)
    values = {
        **report.model_dump(),
        "answers": uploads.content_of(report).get("answers", {}),
        "participant_id": participant_id,
        "content_hash": content_hash,
        "received_at": now,
    }
    created = await insert_once(db, REPORTS, values)
    if created:
        case = Case(
            answers,
            language,
            now,
            report_id=report.id,
            reported_at=report.reported_at,
            local_date=report.local_date,
        )
        await _store_decision(db, participant_id, rule_set, case)
    stored = await _find(db, REPORTS, participant_id, report.id)
    if stored.content_hash != content_hash:
        raise _conflict(report.id, stored.content_hash, content_hash)
    return await get_report(db, participant_id, report.id), created


async def _store_decision(
    db: AsyncSession, participant_id: uuid.UUID, rule_set: RuleSet, case: Case
) -> None:
    document, outcome = decide(rule_set, case)
    values = {
        "participant_id": participant_id,
        "id": uuid.UUID(document["id"]),
        "report_id": case.report_id,
        "rule_set_hash": rule_set.hash,
        "engine": ENGINE,
        "level": document["level"],
        "activity_status": document["activities"]["status"],
        "evaluated_at": case.evaluated_at,
        "language": case.language,
        "facts": {"certain": outcome.facts.certain, "possible": outcome.facts.possible},
        "document": document,
    }
    await insert_once(db, DECISIONS, values)


async def _find(
    db: AsyncSession,
    table: Table,
    participant_id: uuid.UUID,
    record_id: uuid.UUID,
) -> Row:
    statement = select(table).where(
        table.c.participant_id == participant_id, table.c.id == record_id
    )
    row = (await db.execute(statement)).first()
    if row is None:
        raise NotFound("You have no such record.")
    return row


async def get_session(
    db: AsyncSession, participant_id: uuid.UUID, session_id: uuid.UUID
) -> LoggedSession:
    """Return one of one's own sessions."""
    return _session(await _find(db, SESSIONS, participant_id, session_id))


def _reports(participant_id: uuid.UUID) -> Select[Any]:
    return (
        select(REPORTS, DECISIONS.c.document.label("decision"))
        .join(
            DECISIONS,
            and_(
                DECISIONS.c.participant_id == REPORTS.c.participant_id,
                DECISIONS.c.report_id == REPORTS.c.id,
            ),
        )
        .where(REPORTS.c.participant_id == participant_id)
    )


async def get_report(
    db: AsyncSession, participant_id: uuid.UUID, report_id: uuid.UUID
) -> StoredSymptomReport:
    """Return one of one's own symptom reports with its decision."""
    row = (await db.execute(_reports(participant_id).where(REPORTS.c.id == report_id))).first()
    if row is None:
        raise NotFound("You have no such record.")
    return _report(row, row.decision)


def _after(instant: Any, record_id: Any, cursor: str | None) -> Any:
    """Make the condition that a record stands behind a cursor, newest first."""
    if cursor is None:
        return None
    moment, last_id = decode_cursor(cursor, 2)
    try:
        at = datetime.datetime.fromisoformat(moment)
        last = uuid.UUID(last_id)
    except ValueError:
        raise unreadable_cursor() from None
    if at.tzinfo is None:
        raise unreadable_cursor()
    return or_(instant < at, and_(instant == at, record_id < last))


async def _newest(
    db: AsyncSession,
    statement: Select[Any],
    instant: Any,
    record_id: Any,
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[Row], str | None]:
    behind = _after(instant, record_id, cursor)
    if behind is not None:
        statement = statement.where(behind)
    statement = statement.order_by(instant.desc(), record_id.desc()).limit(limit + 1)
    rows = list(await db.execute(statement))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], encode_cursor(getattr(last, instant.key).isoformat(), str(last.id))


async def list_sessions(
    db: AsyncSession, participant_id: uuid.UUID, *, limit: int, cursor: str | None
) -> SessionList:
    """Return a page of one's own sessions, newest first."""
    statement = select(SESSIONS).where(SESSIONS.c.participant_id == participant_id)
    rows, next_cursor = await _newest(
        db, statement, SESSIONS.c.started_at, SESSIONS.c.id, limit=limit, cursor=cursor
    )
    return SessionList(items=[_session(row) for row in rows], next_cursor=next_cursor)


async def list_reports(
    db: AsyncSession, participant_id: uuid.UUID, *, limit: int, cursor: str | None
) -> SymptomReportList:
    """Return a page of one's own symptom reports, newest first."""
    rows, next_cursor = await _newest(
        db,
        _reports(participant_id),
        REPORTS.c.reported_at,
        REPORTS.c.id,
        limit=limit,
        cursor=cursor,
    )
    items = [_report(row, row.decision) for row in rows]
    return SymptomReportList(items=items, next_cursor=next_cursor)
