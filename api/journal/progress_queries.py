"""Reads the rows for progress: a bounded number, however long the history."""

import datetime
import uuid
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Integer,
    Select,
    and_,
    cast,
    column,
    false,
    type_coerce,
    union_all,
)
from sqlalchemy import select as core_select
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.dates import monday_of
from api.core.zones import find_zone
from api.journal import counted, decisions, progress
from api.journal.models import ExerciseSession, StoredDecision, SymptomReport
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
    """Return the date in a zone; an unknown zone counts as UTC."""
    return now.astimezone(find_zone(time_zone) or datetime.UTC).date()


def _counts(participant_id: uuid.UUID) -> ColumnElement[bool]:
    """Return the condition that a session is the participant's, and counts."""
    return and_(col(ExerciseSession.participant_id) == participant_id, counted.counts())


async def _zone_of_newest(db: AsyncSession, participant_id: uuid.UUID) -> str | None:
    """Return the time zone of the newest session."""
    statement = (
        select(ExerciseSession.time_zone)
        .where(ExerciseSession.participant_id == participant_id)
        .order_by(col(ExerciseSession.started_at).desc(), col(ExerciseSession.id).desc())
        .limit(1)
    )
    return (await db.exec(statement)).one_or_none()


async def _streak(
    db: AsyncSession, participant_id: uuid.UUID, time_zone: str, now: datetime.datetime
) -> int:
    """Count the streak; dates are read only as far as needed."""
    zones = [time_zone]
    # The new zone of a traveller may be known only from a session.
    newest = await _zone_of_newest(db, participant_id)
    if newest is not None and find_zone(newest) is not None:
        zones.append(newest)
    dates = [local_today(now, zone) for zone in zones]
    statement = (
        select(
            col(ExerciseSession.local_date),
            col(ExerciseSession.time_zone),
            func.min(col(ExerciseSession.started_at)),
        )
        .where(_counts(participant_id))
        .group_by(col(ExerciseSession.local_date), col(ExerciseSession.time_zone))
        .order_by(col(ExerciseSession.local_date).desc())
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
    """Return the sum of the seconds of a session's items; null without any."""
    items = col(ExerciseSession.items)
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
    """Read the sessions since a date, in pages: a day may have thousands."""
    recent = select(
        col(ExerciseSession.local_date),
        col(ExerciseSession.started_at),
        col(ExerciseSession.ended_at),
        _item_seconds(db.get_bind().dialect.name),
    ).where(_counts(participant_id), col(ExerciseSession.local_date) >= since)
    found: list[progress.Practised] = []
    rows = await db.stream(recent.execution_options(yield_per=PAGE))
    async for page in rows.partitions():
        found += [progress.practised(*row) for row in page]
    return progress.add_up(found)


def _scores(participant_id: uuid.UUID) -> Any:
    """Select all pain scores with their dates: before sessions, and of reports."""
    sessions = core_select(
        col(ExerciseSession.local_date),
        type_coerce(ExerciseSession.pain_before, Integer).label("pain"),
    ).where(_counts(participant_id), col(ExerciseSession.pain_before).is_not(None))
    reports = core_select(
        col(SymptomReport.local_date), type_coerce(SymptomReport.pain_score, Integer).label("pain")
    ).where(
        col(SymptomReport.participant_id) == participant_id,
        col(SymptomReport.pain_score).is_not(None),
    )
    return union_all(sessions, reports).subquery("scores")


async def _read_scores(db: AsyncSession, statement: Select[Any]) -> list[progress.Score]:
    rows = await (await db.connection()).execute(statement)
    return [progress.Score(local_date, pain) for local_date, pain in rows]


async def _pain(
    db: AsyncSession, participant_id: uuid.UUID, today: datetime.date
) -> progress.PainTrend:
    scores = _scores(participant_id)
    start = (await db.exec(select(func.min(scores.c.local_date)))).one_or_none()
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
        select(
            SymptomReport.id,
            SymptomReport.reported_at,
            StoredDecision.id,
            col(StoredDecision.document),
        )
        .join(StoredDecision, decisions.IS_CURRENT)
        .where(SymptomReport.participant_id == participant_id)
        .order_by(*decisions.NEWEST_FIRST)
        .limit(1)
    )
    row = (await db.exec(statement)).first()
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
    """Return the progress of a participant."""
    time_zone = await time_zone_of(db, participant_id)
    today = local_today(now, time_zone)
    since = monday_of(today) - (progress.WEEKS_SHOWN - 1) * progress.WEEK
    # With earlier sessions that extend into it.
    practised = await _totals(db, participant_id, since - 2 * progress.ONE_DAY)
    is_planned = await read_planned(db, participant_id, (today - since).days)
    totals = select(
        func.count(),
        func.count(col(ExerciseSession.local_date).distinct()),
        func.max(col(ExerciseSession.local_date)),
    ).where(_counts(participant_id))
    sessions_total, active_days_total, last_active_on = (await db.exec(totals)).one()
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
