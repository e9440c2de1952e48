"""Reads the rows for progress: a bounded number, however long the history."""

import datetime
import functools
import uuid
from typing import Any

from sqlalchemy import (
    JSON,
    Integer,
    Select,
    and_,
    bindparam,
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


# Built once: it takes SQLAlchemy several times as long to build them as to run them. `owner` is the
# participant, `since` and `before` are dates.
OWN = col(ExerciseSession.participant_id) == bindparam("owner")
COUNTS = and_(OWN, counted.counts())
ZONE_OF_NEWEST = (
    select(ExerciseSession.time_zone)
    .where(OWN)
    .order_by(col(ExerciseSession.started_at).desc(), col(ExerciseSession.id).desc())
    .limit(1)
)
ACTIVE_DATES = (
    select(
        col(ExerciseSession.local_date),
        col(ExerciseSession.time_zone),
        func.min(col(ExerciseSession.started_at)),
    )
    .where(COUNTS)
    .group_by(col(ExerciseSession.local_date), col(ExerciseSession.time_zone))
    .order_by(col(ExerciseSession.local_date).desc())
    .execution_options(yield_per=PAGE)
)
TOTALS = select(
    func.count(),
    func.count(col(ExerciseSession.local_date).distinct()),
    func.max(col(ExerciseSession.local_date)),
).where(COUNTS)


async def _streak(
    db: AsyncSession, participant_id: uuid.UUID, time_zone: str, now: datetime.datetime
) -> int:
    """Count the streak; dates are read only as far as needed."""
    zones = [time_zone]
    own = {"owner": participant_id}
    # The new zone of a traveller may be known only from a session.
    newest = (await db.exec(ZONE_OF_NEWEST, params=own)).one_or_none()
    if newest is not None and find_zone(newest) is not None:
        zones.append(newest)
    dates = [local_today(now, zone) for zone in zones]
    found: list[progress.Active] = []
    rows = await db.stream(ACTIVE_DATES, own)
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


@functools.cache
def _practised_since(dialect: str) -> Select[Any]:
    """Select the sessions since a date, in pages: a day may have thousands."""
    return (
        core_select(
            col(ExerciseSession.local_date),
            col(ExerciseSession.started_at),
            col(ExerciseSession.ended_at),
            _item_seconds(dialect),
        )
        .where(COUNTS, col(ExerciseSession.local_date) >= bindparam("since"))
        .execution_options(yield_per=PAGE)
    )


async def _totals(
    db: AsyncSession, participant_id: uuid.UUID, since: datetime.date
) -> dict[datetime.date, progress.Total]:
    """Read the sessions since a date."""
    found: list[progress.Practised] = []
    statement = _practised_since(db.get_bind().dialect.name)
    rows = await db.stream(statement, {"owner": participant_id, "since": since})
    async for page in rows.partitions():
        found += [progress.practised(*row) for row in page]
    return progress.add_up(found)


# All pain scores with their dates: before sessions, and of reports.
SCORES = union_all(
    core_select(
        col(ExerciseSession.local_date),
        type_coerce(ExerciseSession.pain_before, Integer).label("pain"),
    ).where(COUNTS, col(ExerciseSession.pain_before).is_not(None)),
    core_select(
        col(SymptomReport.local_date), type_coerce(SymptomReport.pain_score, Integer).label("pain")
    ).where(
        col(SymptomReport.participant_id) == bindparam("owner"),
        col(SymptomReport.pain_score).is_not(None),
    ),
).subquery("scores")
FIRST_SCORED = core_select(func.min(SCORES.c.local_date))
SCORES_BEFORE = core_select(SCORES).where(SCORES.c.local_date < bindparam("before"))
SCORES_AFTER = core_select(SCORES).where(SCORES.c.local_date > bindparam("since"))


async def _pain(
    db: AsyncSession, participant_id: uuid.UUID, today: datetime.date
) -> progress.PainTrend:
    connection, own = await db.connection(), {"owner": participant_id}
    start: datetime.date | None = (await connection.execute(FIRST_SCORED, own)).scalar_one()
    if start is None:
        return progress.pain_trend([], [], today)

    async def read(statement: Select[Any], **dates: datetime.date) -> list[progress.Score]:
        rows = await connection.execute(statement, {**own, **dates})
        return [progress.Score(local_date, pain) for local_date, pain in rows]

    first = await read(SCORES_BEFORE, before=start + progress.WEEK)
    recent = await read(SCORES_AFTER, since=today - progress.WEEK)
    return progress.pain_trend(first, recent, today)


LAST_DECISION = (
    select(
        SymptomReport.id,
        SymptomReport.reported_at,
        StoredDecision.id,
        col(StoredDecision.document),
    )
    .join(StoredDecision, decisions.IS_CURRENT)
    .where(SymptomReport.participant_id == bindparam("owner"))
    .order_by(*decisions.NEWEST_FIRST)
    .limit(1)
)


async def _last_decision(db: AsyncSession, participant_id: uuid.UUID) -> LastDecision | None:
    row = (await db.exec(LAST_DECISION, params={"owner": participant_id})).first()
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
    own = {"owner": participant_id}
    sessions_total, active_days_total, last_active_on = (await db.exec(TOTALS, params=own)).one()
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
