"""Reads one's own records: sessions, symptom reports, decisions, and what they say of a plan."""

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, func, literal, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.content.plans import Hold
from api.core.errors import NotFound
from api.http.pages import decode_cursor, encode_cursor, unreadable_cursor
from api.journal import decisions
from api.journal.models import DECISIONS, REPORTS, SESSIONS
from api.journal.schemas import (
    Adjustment,
    LoggedItem,
    LoggedSession,
    SessionList,
    StoredClearance,
    StoredDecisionDetails,
    StoredSymptomReport,
    SymptomReportList,
)
from api.participants.service import conditions_of
from api.triage.engines import as_shown
from api.triage.evaluation import advise
from api.triage.rules import RuleSet
from api.triage.schemas import Decision, SessionAdvice

Row = Any


def adjusted(row: Row, place: str = "") -> list[Adjustment]:
    """List what is stored otherwise than it was sent; `place` is that of the record."""
    # Clearances have no date of their own.
    if getattr(row, "sent_local_date", None) is None:
        return []
    return [Adjustment(pointer=f"{place}/local_date", code="date_mismatch")]


def session_of(
    row: Row, rule_set: RuleSet, language: str, *, deleted: bool = False
) -> LoggedSession:
    """Turn a stored row into an answer, with what the rules say of its pain."""
    blank = dict.fromkeys(LoggedItem.model_fields)
    items = [LoggedItem(**{**blank, "skipped": False, **item}) for item in row.items]
    names = set(LoggedSession.model_fields) - {"items", "advice", "deleted", "adjusted"}
    return LoggedSession(
        deleted=deleted,
        adjusted=adjusted(row),
        items=items,
        advice=[
            SessionAdvice(**advice)
            for advice in advise(rule_set, row.pain_before, row.pain_after, language)
        ],
        **{name: getattr(row, name) for name in names},
    )


def clearance_of(row: Row) -> StoredClearance:
    """Turn a stored row into an answer."""
    return StoredClearance(**{name: getattr(row, name) for name in StoredClearance.model_fields})


def report_of(row: Row, document: dict[str, Any], *, deleted: bool = False) -> StoredSymptomReport:
    """Turn a stored row and its decision into an answer."""
    names = set(StoredSymptomReport.model_fields) - {"decision", "deleted", "adjusted"}
    return StoredSymptomReport(
        deleted=deleted,
        adjusted=adjusted(row),
        decision=Decision.model_validate(as_shown(document)),
        **{name: getattr(row, name) for name in names},
    )


async def find_record(
    db: AsyncSession,
    table: Table,
    participant_id: uuid.UUID,
    record_id: uuid.UUID,
) -> Row:
    """Return a row of one's own; somebody else's is not found."""
    statement = select(table).where(
        table.c.participant_id == participant_id, table.c.id == record_id
    )
    row = (await db.execute(statement)).first()
    if row is None:
        raise NotFound("You have no such record.")
    return row


async def rows_of(
    db: AsyncSession, table: Table, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, Row]:
    """Return the rows of one's own that have one of these ids."""
    if not ids:
        return {}
    statement = select(table).where(table.c.participant_id == participant_id, table.c.id.in_(ids))
    return {row.id: row for row in await db.execute(statement)}


async def reports_of(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, Row]:
    """Return one's own reports that have one of these ids, with their decisions."""
    if not ids:
        return {}
    statement = _reports(participant_id).where(REPORTS.c.id.in_(ids))
    return {row.id: row for row in await db.execute(statement)}


async def said_on(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[str, str]]:
    """Return level and headline of the decisions that count now for these reports."""
    statement = decisions.reports_joined(
        DECISIONS.c.level.label("level"), headline_of(DECISIONS.c.document).label("headline")
    ).where(REPORTS.c.participant_id == participant_id, REPORTS.c.id.in_(ids))
    if not ids:
        return {}
    return {row.id: (row.level, row.headline) for row in await db.execute(statement)}


def headline_of(document: Any) -> Any:
    """Select the headline alone: the whole document is some ten kilobytes."""
    # The first engine called it a title; see `engines.as_shown`.
    return func.coalesce(document["headline"].as_string(), document["title"].as_string())


async def get_session(
    db: AsyncSession,
    participant_id: uuid.UUID,
    session_id: uuid.UUID,
    rule_set: RuleSet,
    language: str,
) -> LoggedSession:
    """Return one of one's own sessions."""
    row = await find_record(db, SESSIONS, participant_id, session_id)
    return session_of(row, rule_set, language)


def _reports(participant_id: uuid.UUID) -> Select[Any]:
    return decisions.reports_joined(DECISIONS.c.document.label("decision")).where(
        REPORTS.c.participant_id == participant_id
    )


async def get_report(
    db: AsyncSession, participant_id: uuid.UUID, report_id: uuid.UUID
) -> StoredSymptomReport:
    """Return one of one's own symptom reports with its decision."""
    row = (await db.execute(_reports(participant_id).where(REPORTS.c.id == report_id))).first()
    if row is None:
        raise NotFound("You have no such record.")
    return report_of(row, row.decision)


async def get_decision(
    db: AsyncSession, participant_id: uuid.UUID, decision_id: uuid.UUID
) -> StoredDecisionDetails:
    """Return one of one's own decisions, with the facts and rules behind it."""
    row = await decisions.find_decision(db, participant_id, decision_id)
    current = await decisions.current_decision_of(db, participant_id, row.report_id)
    return StoredDecisionDetails(
        id=row.id,
        report_id=row.report_id,
        engine=row.engine,
        rule_set_hash=row.rule_set_hash,
        supersedes=row.supersedes,
        superseded_by=None if current == row.id else current,
        certain_facts=sorted(name for name, holds in row.facts["certain"].items() if holds),
        possible_facts=sorted(name for name, holds in row.facts["possible"].items() if holds),
        fired=row.fired,
        undecided=row.undecided,
        decision=Decision.model_validate(as_shown(row.document)),
    )


@dataclass(frozen=True)
class OwnLimits:
    """What a participant's own records say of a plan."""

    status: Hold = "continue"
    conditions: tuple[str, ...] = ()


async def own_limits(
    db: AsyncSession, participant_id: uuid.UUID, catalogue: Catalogue
) -> OwnLimits:
    """Return the hold in force, and the conditions of the profile and of the newest report."""
    hold = await decisions.activities_in_force(db, participant_id)
    known = {condition.id for condition in catalogue.conditions}
    own = set(await conditions_of(db, participant_id)) & known
    newest = (
        select(REPORTS.c.answers)
        .where(REPORTS.c.participant_id == participant_id)
        .order_by(REPORTS.c.reported_at.desc(), REPORTS.c.id.desc())
        .limit(1)
    )
    answers = (await db.execute(newest)).scalar_one_or_none() or {}
    own |= {
        condition.id
        for condition in catalogue.conditions
        if answers.get(condition.question_id or "", "no") not in {"no", "none", "unknown"}
    }
    return OwnLimits(hold.status, tuple(sorted(own)))


def _after(instant: Any, record_id: Any, cursor: str | None) -> Any:
    """Make the condition that a record stands behind a cursor, newest first."""
    if cursor is None:
        return None
    moment, last_id = decode_cursor(cursor, 2)
    try:
        written = datetime.datetime.fromisoformat(moment)
        at = written.astimezone(datetime.UTC)
        last = uuid.UUID(last_id)
    except (ValueError, OverflowError):
        raise unreadable_cursor() from None
    if written.tzinfo is None:
        raise unreadable_cursor()
    return tuple_(instant, record_id) < tuple_(
        literal(at, instant.type), literal(last, record_id.type)
    )


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
    db: AsyncSession,
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    language: str,
    *,
    limit: int,
    cursor: str | None,
) -> SessionList:
    """Return a page of one's own sessions, newest first."""
    statement = select(SESSIONS).where(SESSIONS.c.participant_id == participant_id)
    rows, next_cursor = await _newest(
        db, statement, SESSIONS.c.started_at, SESSIONS.c.id, limit=limit, cursor=cursor
    )
    return SessionList(
        items=[session_of(row, rule_set, language) for row in rows], next_cursor=next_cursor
    )


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
    items = [report_of(row, row.decision) for row in rows]
    return SymptomReportList(items=items, next_cursor=next_cursor)
