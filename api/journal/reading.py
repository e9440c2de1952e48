"""Reads a participant's records: sessions, symptom reports, decisions, and limits on activities."""

import datetime
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.orm import Mapped
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from api.content.catalogue import Catalogue
from api.content.vocabulary import ActivityStatus
from api.core.errors import NotFound
from api.http.pages import decode_cursor, encode_cursor, unreadable_cursor
from api.journal import decisions
from api.journal.models import Clearance, ExerciseSession, StoredDecision, SymptomReport
from api.journal.schemas import (
    Adjustment,
    DecisionDetails,
    LoggedClearance,
    LoggedItem,
    LoggedSession,
    LoggedSymptomReport,
    SessionList,
    SymptomReportList,
)
from api.journal.writing import StoredRecord, find_records
from api.participants.service import conditions_of
from api.triage.engines import as_shown
from api.triage.evaluation import Json, advise
from api.triage.rules import RuleSet
from api.triage.schemas import Decision, SessionAdvice

Row = TypeVar("Row")


def adjusted(record: StoredRecord, place: str = "") -> list[Adjustment]:
    """List the values that differ from what was sent; `place` is the record's pointer."""
    if isinstance(record, Clearance) or record.sent_local_date is None:
        return []
    return [Adjustment(pointer=f"{place}/local_date", code="date_mismatch")]


def session_of(
    session: ExerciseSession, rule_set: RuleSet, language: str, *, deleted: bool = False
) -> LoggedSession:
    """Return a stored session as a response, with the advice of the rules on its pain scores."""
    blank = dict.fromkeys(LoggedItem.model_fields)
    names = set(LoggedSession.model_fields) - {"items", "advice", "deleted", "adjusted"}
    return LoggedSession(
        deleted=deleted,
        adjusted=adjusted(session),
        items=[LoggedItem(**{**blank, "skipped": False, **item}) for item in session.items],
        advice=[
            SessionAdvice(**advice)
            for advice in advise(rule_set, session.pain_before, session.pain_after, language)
        ],
        **{name: getattr(session, name) for name in names},
    )


def clearance_of(clearance: Clearance) -> LoggedClearance:
    """Return a stored clearance as a response."""
    return LoggedClearance.model_validate(clearance, from_attributes=True)


def report_of(
    report: SymptomReport, document: Json, *, deleted: bool = False
) -> LoggedSymptomReport:
    """Return a stored report as a response, with its decision."""
    names = set(LoggedSymptomReport.model_fields) - {"decision", "deleted", "adjusted"}
    return LoggedSymptomReport(
        deleted=deleted,
        adjusted=adjusted(report),
        decision=Decision.model_validate(as_shown(document)),
        **{name: getattr(report, name) for name in names},
    )


async def reports_of(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[SymptomReport, Json]]:
    """Return those of the participant's reports that have one of these ids, with decisions."""
    if not ids:
        return {}
    statement = _reports(participant_id).where(col(SymptomReport.id).in_(ids))
    return {report.id: (report, document) for report, document in await db.exec(statement)}


async def levels_of(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[str, str]]:
    """Return level and headline of the current decisions on these reports."""
    if not ids:
        return {}
    document = col(StoredDecision.document)
    # Only the headline: the whole document is some ten kilobytes. The first engine called it
    # title; see `engines.as_shown`.
    headline = func.coalesce(document["headline"].as_string(), document["title"].as_string())
    statement = (
        select(SymptomReport.id, StoredDecision.level, headline)
        .join(StoredDecision, decisions.IS_CURRENT)
        .where(SymptomReport.participant_id == participant_id, col(SymptomReport.id).in_(ids))
    )
    return {report_id: (level, text) for report_id, level, text in await db.exec(statement)}


async def get_session(
    db: AsyncSession,
    participant_id: uuid.UUID,
    session_id: uuid.UUID,
    rule_set: RuleSet,
    language: str,
) -> LoggedSession:
    """Return one of the participant's sessions."""
    found = await find_records(db, ExerciseSession, participant_id, {session_id})
    if not found:
        raise NotFound("Unknown record.")
    return session_of(found[0], rule_set, language)


def _reports(participant_id: uuid.UUID) -> Select[SymptomReport, Json]:
    return (
        select(SymptomReport, col(StoredDecision.document))
        .join(StoredDecision, decisions.IS_CURRENT)
        .where(SymptomReport.participant_id == participant_id)
        # A report may have been loaded before a late one changed its decision.
        .execution_options(populate_existing=True)
    )


async def get_report(
    db: AsyncSession, participant_id: uuid.UUID, report_id: uuid.UUID
) -> LoggedSymptomReport:
    """Return one of the participant's symptom reports with its decision."""
    statement = _reports(participant_id).where(SymptomReport.id == report_id)
    found = (await db.exec(statement)).first()
    if found is None:
        raise NotFound("Unknown record.")
    return report_of(*found)


async def get_decision(
    db: AsyncSession, participant_id: uuid.UUID, decision_id: uuid.UUID
) -> DecisionDetails:
    """Return one of the participant's decisions, with the facts and rules it comes from."""
    stored = await decisions.find_decision(db, participant_id, decision_id)
    current = await decisions.current_decision_of(db, participant_id, stored.report_id)
    return DecisionDetails(
        id=stored.id,
        report_id=stored.report_id,
        engine=stored.engine,
        rule_set_hash=stored.rule_set_hash,
        supersedes=stored.supersedes,
        superseded_by=None if current == stored.id else current,
        certain_facts=sorted(name for name, holds in stored.facts["certain"].items() if holds),
        possible_facts=sorted(name for name, holds in stored.facts["possible"].items() if holds),
        fired=stored.fired,
        undecided=stored.undecided,
        decision=Decision.model_validate(as_shown(stored.document)),
    )


@dataclass(frozen=True)
class OwnLimits:
    """The limits that a participant's records put on a composed routine."""

    status: ActivityStatus = "continue"
    conditions: tuple[str, ...] = ()


async def own_limits(
    db: AsyncSession, participant_id: uuid.UUID, catalogue: Catalogue
) -> OwnLimits:
    """Return the hold in force, and the conditions of the profile and of the newest report."""
    hold = await decisions.activities_in_force(db, participant_id)
    known = {condition.id for condition in catalogue.conditions}
    own = set(await conditions_of(db, participant_id)) & known
    newest = (
        select(SymptomReport.answers)
        .where(SymptomReport.participant_id == participant_id)
        .order_by(*decisions.NEWEST_FIRST)
        .limit(1)
    )
    answers = (await db.exec(newest)).one_or_none() or {}
    own |= {
        condition.id
        for condition in catalogue.conditions
        if answers.get(condition.question_id or "", "no") not in {"no", "none", "unknown"}
    }
    return OwnLimits(hold.status, tuple(sorted(own)))


# Pages of records, newest first.

Instant = Mapped[datetime.datetime]
Id = Mapped[uuid.UUID]


def _after(instant: Instant, record_id: Id, cursor: str) -> ColumnElement[bool]:
    """Return the condition that a record comes after a cursor, newest first."""
    moment, last_id = decode_cursor(cursor, 2)
    try:
        written = datetime.datetime.fromisoformat(moment)
        at = written.astimezone(datetime.UTC)
        last = uuid.UUID(last_id)
    except (ValueError, OverflowError):
        raise unreadable_cursor() from None
    if written.tzinfo is None:
        raise unreadable_cursor()
    return tuple_(instant, record_id) < decisions.position(at, last)


def _page(
    rows: list[Row], limit: int, position: Callable[[Row], tuple[datetime.datetime, uuid.UUID]]
) -> tuple[list[Row], str | None]:
    """Cut off the row that was read beyond a page; return the page and the next cursor."""
    if len(rows) <= limit:
        return rows, None
    at, record_id = position(rows[limit - 1])
    return rows[:limit], encode_cursor(at.isoformat(), str(record_id))


async def list_sessions(
    db: AsyncSession,
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    language: str,
    *,
    limit: int,
    cursor: str | None,
) -> SessionList:
    """Return a page of the participant's sessions, newest first."""
    started_at, record_id = col(ExerciseSession.started_at), col(ExerciseSession.id)
    statement = select(ExerciseSession).where(ExerciseSession.participant_id == participant_id)
    if cursor is not None:
        statement = statement.where(_after(started_at, record_id, cursor))
    statement = statement.order_by(started_at.desc(), record_id.desc()).limit(limit + 1)
    rows, next_cursor = _page(
        list(await db.exec(statement)), limit, lambda session: (session.started_at, session.id)
    )
    return SessionList(
        items=[session_of(session, rule_set, language) for session in rows],
        next_cursor=next_cursor,
    )


async def list_reports(
    db: AsyncSession, participant_id: uuid.UUID, *, limit: int, cursor: str | None
) -> SymptomReportList:
    """Return a page of the participant's symptom reports, newest first."""
    statement = _reports(participant_id)
    if cursor is not None:
        statement = statement.where(_after(decisions.REPORTED_AT, decisions.ID, cursor))
    statement = statement.order_by(*decisions.NEWEST_FIRST).limit(limit + 1)
    rows, next_cursor = _page(
        list(await db.exec(statement)), limit, lambda row: (row[0].reported_at, row[0].id)
    )
    return SymptomReportList(
        items=[report_of(report, document) for report, document in rows], next_cursor=next_cursor
    )
