"""Reads what progress is made of: a bounded number of rows, however long the history is."""

import datetime
import uuid
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from api.content.catalogue import Catalogue
from api.core.zones import find_zone
from api.journal import decisions, progress
from api.journal.models import DECISIONS, REPORTS, SESSIONS
from api.journal.schemas import (
    ActivitiesInForce,
    LastDecision,
    PainProgress,
    Progress,
    ProgressWeek,
    Streak,
)
from api.participants.schedules import read_planned
from api.participants.service import time_zone_of
from api.triage.engines import as_shown
from api.triage.rules import RuleSet

STREAK_PAGE = 100


def local_today(now: datetime.datetime, time_zone: str) -> datetime.date:
    """Return the person's own date; a zone that is unknown here counts as UTC."""
    return now.astimezone(find_zone(time_zone) or datetime.UTC).date()


def counts(participant_id: uuid.UUID) -> ColumnElement[bool]:
    """Make the condition that a session counts: not abandoned, and not replaced.

    Where two phones have corrected the same session, one of the corrections counts: the one with
    the greater id, which does not depend on what arrived first.
    """
    correction = SESSIONS.alias("correction")
    replaced = exists(
        select(correction.c.id).where(
            correction.c.participant_id == participant_id,
            or_(
                correction.c.replaces == SESSIONS.c.id,
                and_(correction.c.replaces == SESSIONS.c.replaces, correction.c.id > SESSIONS.c.id),
            ),
        )
    )
    return and_(
        SESSIONS.c.participant_id == participant_id,
        SESSIONS.c.status != "abandoned",
        ~replaced,
    )


async def _streak(db: AsyncSession, participant_id: uuid.UUID, today: datetime.date) -> int:
    """Count the streak page by page: only a long streak reads many dates."""
    dates: set[datetime.date] = set()
    before: datetime.date | None = None
    while True:
        statement = select(SESSIONS.c.local_date).where(counts(participant_id)).distinct()
        if before is not None:
            statement = statement.where(SESSIONS.c.local_date < before)
        statement = statement.order_by(SESSIONS.c.local_date.desc()).limit(STREAK_PAGE)
        page = list((await db.execute(statement)).scalars())
        dates.update(page)
        days = progress.streak(dates, today)
        if len(page) < STREAK_PAGE or days < len(dates) - 2:
            return days
        before = page[-1]


def _scores(participant_id: uuid.UUID) -> Any:
    """Select every pain score with its date: before sessions, and in reports."""
    sessions = select(SESSIONS.c.local_date, SESSIONS.c.pain_before.label("pain")).where(
        counts(participant_id), SESSIONS.c.pain_before.is_not(None)
    )
    reports = select(REPORTS.c.local_date, REPORTS.c.pain_score.label("pain")).where(
        REPORTS.c.participant_id == participant_id, REPORTS.c.pain_score.is_not(None)
    )
    return union_all(sessions, reports).subquery("scores")


async def _read_scores(db: AsyncSession, statement: Select[Any]) -> list[progress.Score]:
    return [progress.Score(row.local_date, row.pain) for row in await db.execute(statement)]


async def _pain(
    db: AsyncSession, participant_id: uuid.UUID, today: datetime.date
) -> progress.PainTrend:
    scores = _scores(participant_id)
    start = (await db.execute(select(func.min(scores.c.local_date)))).scalar_one_or_none()
    if start is None:
        return progress.pain_trend([], [], today)
    first = await _read_scores(
        db, select(scores).where(scores.c.local_date < start + progress.WEEK)
    )
    recent = await _read_scores(
        db, select(scores).where(scores.c.local_date > today - progress.WEEK)
    )
    return progress.pain_trend(first, recent, today)


async def _last_decision(db: AsyncSession, participant_id: uuid.UUID) -> LastDecision | None:
    statement = (
        select(REPORTS.c.id, REPORTS.c.reported_at, DECISIONS.c.id, DECISIONS.c.document)
        .join(
            DECISIONS,
            and_(
                DECISIONS.c.participant_id == REPORTS.c.participant_id,
                DECISIONS.c.id == REPORTS.c.decision_id,
            ),
        )
        .where(REPORTS.c.participant_id == participant_id)
        .order_by(REPORTS.c.reported_at.desc(), REPORTS.c.id.desc())
        .limit(1)
    )
    row = (await db.execute(statement)).first()
    if row is None:
        return None
    report_id, reported_at, decision_id, stored = row
    document = as_shown(stored)
    return LastDecision(
        decision_id=decision_id,
        report_id=report_id,
        reported_at=reported_at,
        level=document["level"],
        headline=document["headline"],
        see_professional=document["see_professional"],
    )


async def read_progress(
    db: AsyncSession,
    participant_id: uuid.UUID,
    catalogue: Catalogue,
    rule_set: RuleSet,
    language: str,
    now: datetime.datetime,
) -> Progress:
    """Add up one person's records."""
    time_zone = await time_zone_of(db, participant_id)
    today = local_today(now, time_zone)
    since = progress.monday_of(today) - (progress.WEEKS_SHOWN - 1) * progress.WEEK
    recent = select(SESSIONS.c.local_date, SESSIONS.c.started_at, SESSIONS.c.ended_at).where(
        counts(participant_id), SESSIONS.c.local_date >= since
    )
    practised = [
        progress.Practised(row.local_date, row.ended_at - row.started_at)
        for row in await db.execute(recent)
    ]
    is_planned = await read_planned(db, participant_id, (today - since).days)
    totals = select(
        func.count(), func.count(SESSIONS.c.local_date.distinct()), func.max(SESSIONS.c.local_date)
    ).where(counts(participant_id))
    sessions_total, active_days_total, last_active_on = (await db.execute(totals)).one()
    trend = await _pain(db, participant_id, today)
    hold = await decisions.activities_in_force(db, participant_id)
    texts = {entry["status"]: entry["text"] for entry in rule_set.document["activity_status"]}
    return Progress(
        today=today,
        time_zone=time_zone,
        streak=Streak(days=await _streak(db, participant_id, today), last_active_on=last_active_on),
        sessions_total=sessions_total,
        active_days_total=active_days_total,
        weeks=[
            ProgressWeek(
                starts_on=week.starts_on,
                sessions=week.sessions,
                active_days=week.active_days,
                minutes=week.minutes,
                planned_days=week.planned_days,
                adherence_percent=week.adherence_percent,
            )
            for week in progress.weeks(practised, today, is_planned=is_planned)
        ],
        pain=PainProgress(
            status=trend.status,
            baseline_tenths=trend.baseline_tenths,
            current_tenths=trend.current_tenths,
            change_tenths=trend.change_tenths,
            change_percent=trend.change_percent,
            explanation=catalogue.phrase(f"pain_{trend.status}", language),
        ),
        last_decision=await _last_decision(db, participant_id),
        activities=ActivitiesInForce(
            status=hold.status,
            text=texts[hold.status][language],
            rule_ids=list(hold.rule_ids),
        ),
    )
