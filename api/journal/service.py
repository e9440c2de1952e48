"""Keeps sessions, symptom reports and decisions: once each, whatever the line does."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.content.catalogue import Catalogue
from api.content.plans import Hold
from api.content.service import known_activities
from api.core.clock import Clock
from api.core.db import insert_once
from api.core.errors import NotFound
from api.http.pages import decode_cursor, encode_cursor, unreadable_cursor
from api.journal import decisions, uploads
from api.journal.errors import IdConflict
from api.journal.history import PastReport
from api.journal.models import CLEARANCES, DECISIONS, REPORTS, SESSIONS
from api.journal.schemas import (
    LoggedItem,
    LoggedSession,
    NewClearance,
    NewSession,
    NewSymptomReport,
    SessionList,
    StoredClearance,
    StoredDecisionDetails,
    StoredSymptomReport,
    SymptomReportList,
)
from api.participants.service import conditions_of, lock_participant
from api.triage.evaluation import Case, advise, decide
from api.triage.reports import read_answers
from api.triage.rules import RuleSet
from api.triage.schemas import Decision, SessionAdvice
from api.triage.service import RuleSets

Row = Any


def _conflict(record_id: uuid.UUID, stored: str, sent: str) -> IdConflict:
    message = (
        f"{record_id} is stored with other content (stored {stored}, sent {sent}). "
        "Use a new id, and `replaces` to correct a session."
    )
    return IdConflict(message)


def _session(row: Row, rule_set: RuleSet, language: str) -> LoggedSession:
    blank = dict.fromkeys(LoggedItem.model_fields)
    items = [LoggedItem(**{**blank, "skipped": False, **item}) for item in row.items]
    names = set(LoggedSession.model_fields) - {"items", "advice"}
    return LoggedSession(
        items=items,
        advice=[
            SessionAdvice(**advice)
            for advice in advise(rule_set, row.pain_before, row.pain_after, language)
        ],
        **{name: getattr(row, name) for name in names},
    )


def _report(row: Row, document: dict[str, Any]) -> StoredSymptomReport:
    names = set(StoredSymptomReport.model_fields) - {"decision"}
    return StoredSymptomReport(
        decision=Decision.model_validate(document),
        **{name: getattr(row, name) for name in names},
    )


async def log_session(
    db: AsyncSession,
    participant_id: uuid.UUID,
    session: NewSession,
    rule_set: RuleSet,
    language: str,
    clock: Clock,
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
    return _session(stored, rule_set, language), created


async def file_report(
    db: AsyncSession,
    participant_id: uuid.UUID,
    report: NewSymptomReport,
    rule_set: RuleSet,
    rule_sets: RuleSets,
    language: str,
    clock: Clock,
) -> tuple[StoredSymptomReport, bool]:
    """Store a symptom report with its decision, once; tell whether it was new.

    A report that arrives late can change what the later ones mean: their decisions are made again.
    """
    now = clock.now()
    answers = read_answers(rule_set, report)
    uploads.refuse(uploads.report_faults(report, now))
    # Two reports of one person at the same moment would otherwise not see each other.
    await lock_participant(db, participant_id)
    past = PastReport(report.id, report.reported_at, report.pain_score)
    facts = (await decisions.episode_before(db, participant_id, past)).facts_of(past)
    case = Case(
        answers,
        language,
        now,
        report_id=report.id,
        reported_at=report.reported_at,
        local_date=report.local_date,
        country=report.country,
        history_facts=facts,
    )
    made = decide(rule_set, case)
    content_hash = uploads.hash_of(report)
    values = {
        **report.model_dump(exclude={"device_decision"}),
        "answers": uploads.content_of(report).get("answers", {}),
        "participant_id": participant_id,
        "content_hash": content_hash,
        "received_at": now,
        "decision_id": uuid.UUID(made[0]["id"]),
        **await _device_says(db, report, case, rule_sets),
    }
    created = await insert_once(db, REPORTS, values)
    if created:
        await decisions.store_decision(db, participant_id, rule_set, case, made)
        await decisions.reconsider_later(db, participant_id, past, rule_set, now)
    stored = await _find(db, REPORTS, participant_id, report.id)
    if stored.content_hash != content_hash:
        raise _conflict(report.id, stored.content_hash, content_hash)
    return await get_report(db, participant_id, report.id), created


async def _device_says(
    db: AsyncSession, report: NewSymptomReport, case: Case, rule_sets: RuleSets
) -> dict[str, Any]:
    """Compare what the phone showed with what its own rule set says here."""
    shown = report.device_decision
    if shown is None:
        return {"device_level": None, "device_rule_set_hash": None, "device_agrees": None}
    rule_set = await rule_sets.find(db, shown.rule_set_hash)
    agrees = None
    if rule_set is not None:
        agrees = decide(rule_set, case)[0]["level"] == shown.level
    return {
        "device_level": shown.level.value,
        "device_rule_set_hash": shown.rule_set_hash,
        "device_agrees": agrees,
    }


async def clear(
    db: AsyncSession, participant_id: uuid.UUID, clearance: NewClearance, clock: Clock
) -> tuple[StoredClearance, bool]:
    """Store that a professional has said it is fine, once; tell whether it was new."""
    now = clock.now()
    uploads.refuse(uploads.clearance_faults(clearance, now))
    content_hash = uploads.hash_of(clearance)
    values = {
        "participant_id": participant_id,
        "id": clearance.id,
        "content_hash": content_hash,
        "received_at": now,
        "cleared_at": clearance.cleared_at,
    }
    created = await insert_once(db, CLEARANCES, values)
    stored = await _find(db, CLEARANCES, participant_id, clearance.id)
    if stored.content_hash != content_hash:
        raise _conflict(clearance.id, stored.content_hash, content_hash)
    return StoredClearance(
        id=stored.id,
        content_hash=content_hash,
        received_at=stored.received_at,
        cleared_at=stored.cleared_at,
    ), created


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
    db: AsyncSession,
    participant_id: uuid.UUID,
    session_id: uuid.UUID,
    rule_set: RuleSet,
    language: str,
) -> LoggedSession:
    """Return one of one's own sessions."""
    row = await _find(db, SESSIONS, participant_id, session_id)
    return _session(row, rule_set, language)


def _reports(participant_id: uuid.UUID) -> Select[Any]:
    return (
        select(REPORTS, DECISIONS.c.document.label("decision"))
        .join(
            DECISIONS,
            and_(
                DECISIONS.c.participant_id == REPORTS.c.participant_id,
                DECISIONS.c.id == REPORTS.c.decision_id,
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
        certain_facts=[name for name, holds in row.facts["certain"].items() if holds],
        possible_facts=[name for name, holds in row.facts["possible"].items() if holds],
        fired=row.fired,
        undecided=row.undecided,
        decision=Decision.model_validate(row.document),
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
        items=[_session(row, rule_set, language) for row in rows], next_cursor=next_cursor
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
    items = [_report(row, row.decision) for row in rows]
    return SymptomReportList(items=items, next_cursor=next_cursor)
