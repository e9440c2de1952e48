"""A participant's plan: the newest counts, and what was planned on past days stays known."""

import datetime
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.errors import Fault, refuse
from api.core.zones import find_zone
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.models import SCHEDULES
from api.participants.schemas import NewSchedule, Weekday

WEEKDAYS = tuple(Weekday)
Precondition = Callable[[str | None], None]
IsPlanned = Callable[[datetime.date], bool]


@dataclass(frozen=True, slots=True)
class PlanInForce:
    """A plan, or that there is none, from one of the participant's own dates on."""

    in_force_from: datetime.date
    version: int
    plan: NewSchedule | None
    changed_at: datetime.datetime

    @property
    def tag(self) -> str | None:
        """What names this version to clients; None where there is no plan."""
        return None if self.plan is None else str(self.version)


def check_schedule(catalogue: Catalogue, plan: NewSchedule) -> None:
    """Refuse a plan that can't be kept, naming every place."""
    faults = []
    if plan.routine_id not in {routine.id for routine in catalogue.routines}:
        faults.append(Fault("/routine_id", "unknown_routine", "There is no such routine."))
    if find_zone(plan.time_zone) is None:
        message = "This server does not know the time zone; send an IANA name or an offset."
        faults.append(Fault("/time_zone", "unknown_time_zone", message))
    if plan.ends_on is not None and plan.ends_on < plan.starts_on:
        faults.append(Fault("/ends_on", "ends_before_start", "lies before starts_on"))
    refuse(faults)


def _read(row: Row[Any]) -> PlanInForce:
    plan = None if row.plan is None else NewSchedule.model_validate(row.plan)
    return PlanInForce(row.in_force_from, row.version, plan, row.changed_at)


async def plan_in_force(db: AsyncSession, participant_id: uuid.UUID) -> PlanInForce | None:
    """Return the newest plan; None where there never was one."""
    newest = (
        select(SCHEDULES)
        .where(SCHEDULES.c.participant_id == participant_id)
        .order_by(SCHEDULES.c.in_force_from.desc())
        .limit(1)
    )
    row = (await db.execute(newest)).first()
    return None if row is None else _read(row)


async def replace_plan(
    db: AsyncSession,
    participant_id: uuid.UUID,
    plan: NewSchedule | None,
    precondition: Precondition,
    now: datetime.datetime,
) -> PlanInForce | None:
    """Put a plan in force from today on, the participant being locked.

    The same again is no change. It passes whatever the client has seen: its first answer may have
    been lost on the line.
    """
    stored = await plan_in_force(db, participant_id)
    current = None if stored is None else stored.plan
    wanted = plan or current
    if plan == current or wanted is None:
        return stored
    precondition(None if stored is None else stored.tag)
    today = now.astimezone(find_zone(wanted.time_zone) or datetime.UTC).date()
    version = 1
    if stored is not None:
        # Travelling west can take a day back, but never a plan.
        today = max(today, stored.in_force_from)
        version = stored.version + 1
    values = {
        "version": version,
        "plan": None if plan is None else plan.model_dump(mode="json"),
        "changed_at": now,
    }
    key = {"participant_id": participant_id, "in_force_from": today}
    if stored is not None and stored.in_force_from == today:
        same_day = (SCHEDULES.c.participant_id == participant_id) & (
            SCHEDULES.c.in_force_from == today
        )
        await db.execute(update(SCHEDULES).where(same_day).values(**values))
    else:
        await db.execute(insert(SCHEDULES).values(**key, **values))
    changed = Change(ChangedKind.SCHEDULE, participant_id, deleted=plan is None)
    await record_changes(db, participant_id, [changed], now)
    return PlanInForce(today, version, plan, now)


def planned_by(history: Sequence[PlanInForce]) -> IsPlanned:
    """Tell of a date whether anything was planned on it, by the plans of then, newest first.

    Where there is or was no plan, the daily set stands for one.
    """

    def is_planned(date: datetime.date) -> bool:
        plan = next((entry.plan for entry in history if entry.in_force_from <= date), None)
        if plan is None:
            return True
        return (
            not plan.paused
            and plan.starts_on <= date
            and (plan.ends_on is None or date <= plan.ends_on)
            and WEEKDAYS[date.weekday()] in plan.weekdays
        )

    return is_planned


async def read_planned(db: AsyncSession, participant_id: uuid.UUID, days: int) -> IsPlanned:
    """Read what was planned on the last days; there is one plan a day at most."""
    newest = (
        select(SCHEDULES)
        .where(SCHEDULES.c.participant_id == participant_id)
        .order_by(SCHEDULES.c.in_force_from.desc())
        # One from before those days, and two for the dates of a traveller.
        .limit(days + 3)
    )
    return planned_by([_read(row) for row in await db.execute(newest)])
