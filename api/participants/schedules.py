"""A participant's weekly schedule, and what it was on past days."""

import datetime
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from api.content.catalogue import Catalogue
from api.core.db import UNSYNCED
from api.core.errors import Fault, refuse
from api.core.zones import find_zone
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.models import StoredSchedule
from api.participants.schemas import NewSchedule, Weekday

WEEKDAYS = tuple(Weekday)
Precondition = Callable[[str | None], None]
IsPlanned = Callable[[datetime.date], bool]


@dataclass(frozen=True, slots=True)
class ScheduleInForce:
    """A schedule, or its deletion, from one of the participant's own dates on."""

    in_force_from: datetime.date
    version: int
    schedule: NewSchedule | None
    changed_at: datetime.datetime

    @property
    def tag(self) -> str | None:
        """The version's ETag without its quotes; None if the schedule was deleted."""
        return None if self.schedule is None else str(self.version)


def check_schedule(catalogue: Catalogue, schedule: NewSchedule) -> None:
    """Refuse a schedule that cannot be followed, with all of its faults at once."""
    faults = []
    if schedule.routine_id not in {routine.id for routine in catalogue.routines}:
        faults.append(Fault("/routine_id", "unknown_routine", "Unknown routine."))
    if find_zone(schedule.time_zone) is None:
        message = "Unknown time zone; send an IANA name or an offset."
        faults.append(Fault("/time_zone", "unknown_time_zone", message))
    if schedule.ends_on is not None and schedule.ends_on < schedule.starts_on:
        faults.append(Fault("/ends_on", "ends_before_start", "must not be before starts_on"))
    refuse(faults)


def _newest(participant_id: uuid.UUID, count: int) -> SelectOfScalar[StoredSchedule]:
    return (
        select(StoredSchedule)
        .where(StoredSchedule.participant_id == participant_id)
        .order_by(col(StoredSchedule.in_force_from).desc())
        .limit(count)
    )


def _read(row: StoredSchedule) -> ScheduleInForce:
    schedule = None if row.plan is None else NewSchedule.model_validate(row.plan)
    return ScheduleInForce(row.in_force_from, row.version, schedule, row.changed_at)


async def schedule_in_force(db: AsyncSession, participant_id: uuid.UUID) -> ScheduleInForce | None:
    """Return the newest schedule; None if there never was one."""
    row = (await db.exec(_newest(participant_id, 1))).first()
    return None if row is None else _read(row)


async def replace_schedule(
    db: AsyncSession,
    participant_id: uuid.UUID,
    schedule: NewSchedule | None,
    precondition: Precondition,
    now: datetime.datetime,
) -> ScheduleInForce | None:
    """Put a schedule in force from today on; the caller holds the participant's lock.

    Sending the stored schedule again changes nothing and needs no precondition: the response to
    the first request may have been lost.
    """
    stored = await schedule_in_force(db, participant_id)
    current = None if stored is None else stored.schedule
    wanted = schedule or current
    if schedule == current or wanted is None:
        return stored
    precondition(None if stored is None else stored.tag)
    today = now.astimezone(find_zone(wanted.time_zone) or datetime.UTC).date()
    version = 1
    if stored is not None:
        # Flying west can repeat a date, but must not reorder schedules.
        today = max(today, stored.in_force_from)
        version = stored.version + 1
    values = {
        "version": version,
        "plan": None if schedule is None else schedule.model_dump(mode="json"),
        "changed_at": now,
    }
    if stored is not None and stored.in_force_from == today:
        same_day = (
            col(StoredSchedule.participant_id) == participant_id,
            col(StoredSchedule.in_force_from) == today,
        )
        statement = update(StoredSchedule).where(*same_day).values(**values)
        await db.exec(statement, execution_options=UNSYNCED)
    else:
        key = {"participant_id": participant_id, "in_force_from": today}
        await db.exec(insert(StoredSchedule).values(**key, **values))
    changed = Change(ChangedKind.SCHEDULE, participant_id, deleted=schedule is None)
    await record_changes(db, participant_id, [changed], now)
    return ScheduleInForce(today, version, schedule, now)


def planned_by(history: Sequence[ScheduleInForce]) -> IsPlanned:
    """Return whether a date was planned, by the schedule in force then; newest first.

    Without a schedule every day is planned: the default is the daily set.
    """

    def is_planned(date: datetime.date) -> bool:
        schedule = next((entry.schedule for entry in history if entry.in_force_from <= date), None)
        if schedule is None:
            return True
        return (
            not schedule.paused
            and schedule.starts_on <= date
            and (schedule.ends_on is None or date <= schedule.ends_on)
            and WEEKDAYS[date.weekday()] in schedule.weekdays
        )

    return is_planned


async def read_planned(db: AsyncSession, participant_id: uuid.UUID, days: int) -> IsPlanned:
    """Read which of the last days were planned; a day has at most one schedule."""
    # One from before those days, and two for the dates that travelling can add.
    rows = await db.exec(_newest(participant_id, days + 3))
    return planned_by([_read(row) for row in rows])
