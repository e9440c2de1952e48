"""Reads what progress is made of: a bounded number of rows, however long the history is."""

import datetime
import uuid
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Select,
    and_,
    cast,
    column,
    false,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.zones import find_zone
from api.journal import counted, decisions, progress
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

PAGE = 500


def local_today(now: datetime.datetime, time_zone: str) -> datetime.date:
    """Return the person's own date; a zone that is unknown here counts as UTC."""
    return now.astimezone(find_zone(time_zone) or datetime.UTC).date()


def _counts(participant_id: uuid.UUID) -> ColumnElement[bool]:
    """Make the condition that a session is the participant's, and counts."""
    return and_(SESSIONS.c.participant_id == participant_id, counted.counts())


async def _zone_of_newest(db: AsyncSession, participant_id: uuid.UUID) -> str | None:
    """Find where the person was when they last began a session."""
    statement = (
        select(SESSIONS.c.time_zone)
        .where(SESSIONS.c.participant_id == participant_id)
        .order_by(SESSIONS.c.started_at.desc(), SESSIONS.c.id.desc())
        .limit(1)
    )
    return (await db.execute(statement)).scalar_one_or_none()


async def _streak(
    db: AsyncSession, participant_id: uuid.UUID, time_zone: str, now: datetime.datetime
) -> int:
    """Count the streak: only a long one reads many dates."""
    zones = [time_zone]
    # A traveller's phone may have told of the new zone by a session alone.
    newest = await _zone_of_newest(db, participant_id)
    if newest is not None and find_zone(newest) is not None:
        zones.append(newest)
    dates = [local_today(now, zone) for zone in zones]
    statement = (
        select(SESSIONS.c.local_date, SESSIONS.c.time_zone, func.min(SESSIONS.c.started_at))
        .where(_counts(participant_id))
        .group_by(SESSIONS.c.local_date, SESSIONS.c.time_zone)
        .order_by(SESSIONS.c.local_date.desc())
    )
    found: list[progress.Active] = []
    rows = await db.stream(statement.execution_options(yield_per=PAGE))
    async for page in rows.partitions():
        start = max(len(found) - 1, 0)
        found += [progress.Active(*row) for row in page]
        if progress.is_broken(found[start:], max(dates)):
            break
    await rows.close()
    return len(progress.streak(found, max(dates), min(dates)))


def _item_seconds(dialect: str) -> Any:
    """Add up what the items of a session say that they took; null where they say nothing."""
    # Not `c.items`, which is a method of the collection.
    items = SESSIONS.c["items"]
    if dialect == "sqlite":
        item = func.json_each(items).table_valued(column("value", JSON), name="item")
    else:
        listed = cast(items, JSONB)
        item = func.jsonb_array_elements(listed).table_valued(column("value", JSONB), name="item")
    took, skipped = item.c.value["seconds"], item.c.value["skipped"]
    return (
        select(func.sum(took.as_integer()))
        .select_from(item)
        .where(func.coalesce(skipped.as_boolean(), false()).is_(False))
        .scalar_subquery()
    )


async def _totals(
    db: AsyncSession, participant_id: uuid.UUID, since: datetime.date
) -> dict[datetime.date, progress.Total]:
    """Read the sessions since a date, some at a time: there may be thousands on a day."""
    recent = select(
        SESSIONS.c.local_date,
        SESSIONS.c.started_at,
        SESSIONS.c.ended_at,
        _item_seconds(db.get_bind().dialect.name),
    ).where(_counts(participant_id), SESSIONS.c.local_date >= since)
    found: list[progress.Practised] = []
    rows = await db.stream(recent.execution_options(yield_per=PAGE))
    async for page in rows.partitions():
        found += [progress.practised(*row) for row in page]
    return progress.add_up(found)


def _scores(participant_id: uuid.UUID) -> Any:
    """Select every pain score with its date: before sessions, and in reports."""
    sessions = select(SESSIONS.c.local_date, SESSIONS.c.pain_before.label("pain")).where(
        _counts(participant_id), SESSIONS.c.pain_before.is_not(None)
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
    # Also those before that reach into it.
    practised = await _totals(db, participant_id, since - 2 * progress.ONE_DAY)
    is_planned = await read_planned(db, participant_id, (today - since).days)
    totals = select(
        func.count(), func.count(SESSIONS.c.local_date.distinct()), func.max(SESSIONS.c.local_date)
    ).where(_counts(participant_id))
    sessions_total, active_days_total, last_active_on = (await db.execute(totals)).one()
    trend = await _pain(db, participant_id, today)
    hold = await decisions.activities_in_force(db, participant_id)
    texts = {entry["status"]: entry["text"] for entry in rule_set.document["activity_status"]}
    return Progress(
        today=today,
        time_zone=time_zone,
        streak=Streak(
            days=await _streak(db, participant_id, time_zone, now), last_active_on=last_active_on
        ),
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
