"""The exact numbers of a period, in one statement a table, from the database that holds the data.

Whole numbers only, and the same on SQLite and PostgreSQL to the last one. Whether a row counts
depends on the participant's own rows alone; nobody else's, and no size of any cell, plays a part.
The exact numbers are handed to the noise and are neither stored nor logged.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel.ext.asyncio.session import AsyncSession

from api.journal import counted
from api.journal.models import DECISIONS, REPORTS, SESSIONS
from api.participants.models import CONSENTS, PARTICIPANTS
from api.publications.keys import Keys
from api.publications.measures import (
    DOSE_MET_WEIGHT,
    FROM_REPORTS,
    PRACTISED_WEIGHT,
    SCORED_WEIGHT,
    STATISTICS,
    Statistic,
    TableName,
)
from api.publications.periods import Period, day_number, midnight
from api.publications.policy import MOST_KEYS, PeriodPlan, Plan, TablePlan

DAY_SECONDS = 86400
# A phone may send a session up to two of its own dates before the server's clock has reached them.
AHEAD = datetime.timedelta(days=3)

Exact = dict[tuple[str, Statistic], int]


class _DayNumber(FunctionElement[int]):
    """The days from 1970 to a date, or to an instant's date in UTC."""

    type = BigInteger()
    inherit_cache = True
    name = "day_number"


@compiles(_DayNumber, "sqlite")
def _day_number_on_sqlite(element: _DayNumber, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    # Not julianday(), which is a fraction.
    return f"(CAST(strftime('%s', {column}) AS INTEGER) / {DAY_SECONDS})"


@compiles(_DayNumber, "postgresql")
def _day_number_on_postgresql(element: _DayNumber, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    (only,) = element.clauses
    date = column if isinstance(only.type, Date) else f"({column} AT TIME ZONE 'UTC')::date"
    return f"({date} - DATE '1970-01-01')"


def _total(value: ColumnElement[int]) -> ColumnElement[int]:
    """Add up; PostgreSQL makes NUMERIC of a sum of BIGINT, which would divide into fractions."""
    return cast(func.sum(value), BigInteger)


def _clamped(value: ColumnElement[int], lowest: int, highest: int) -> ColumnElement[int]:
    """Clamp by cases: LEAST and GREATEST treat NULL differently on the two databases."""
    return case((value < lowest, lowest), (value > highest, highest), else_=value)


def _first_of(value: ColumnElement[Any]) -> ColumnElement[int]:
    """Return 0 for every row: the only key there is."""
    return case((value.is_(None), 0), else_=0)


def _index(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[int]:
    """Return the number of a key, and of the last one for whatever is none of them."""
    last = len(keys) - 1
    if not last:
        return _first_of(value)
    return case({key: index for index, key in enumerate(keys[:-1])}, value=value, else_=last)


def agreed(
    participant_id: ColumnElement[Any], at: datetime.datetime | None = None
) -> ColumnElement[bool]:
    """Say that the newest consent is for research, and that storage was not taken back in it.

    With an instant, the newest of those that were given by then.
    """
    newest, later = CONSENTS.alias("newest"), CONSENTS.alias("later")
    has_later = exists().where(
        later.c.participant_id == newest.c.participant_id,
        later.c.number > newest.c.number,
        true() if at is None else later.c.given_at <= at,
    )
    return exists().where(
        newest.c.participant_id == participant_id,
        newest.c.research,
        newest.c.storage,
        ~has_later,
        true() if at is None else newest.c.given_at <= at,
    )


def takes_part(
    participant_id: ColumnElement[Any], period: Period, plan: Plan
) -> ColumnElement[bool]:
    """Say that a participant agreed when a period closed, and still does when it is computed.

    Who takes their consent back in between is left out. Who gives it then came too late: when the
    publisher really ran is recorded nowhere, so that the ledger could not tell them.
    """
    return and_(agreed(participant_id), agreed(participant_id, period.closes_at(plan.grace_days)))


def belongs(records: FromClause, period: Period, plan: Plan) -> ColumnElement[bool]:
    """Say that a record counts in a period: in the one of its day, or of its arrival if it is late.

    Late is what arrives when the period of its day has closed. Nothing depends on when the
    publisher really ran.
    """
    own, arrived = _DayNumber(records.c.local_date), _DayNumber(records.c.received_at)
    first = day_number(period.starts_on)
    number, phase = divmod(first, period.days)
    own_number = (own - phase) // period.days
    own_closes = (own_number + 1) * period.days + phase + plan.grace_days
    corrects = records.c.replaces.is_not(None) if "replaces" in records.c else ~true()
    return and_(
        # For the index; what it leaves out can't belong to the period.
        records.c.received_at >= midnight(period.starts_on - AHEAD),
        records.c.received_at < period.closes_at(plan.grace_days),
        or_(
            and_(own_number == number, arrived < own_closes),
            and_(
                (arrived - phase) // period.days == number,
                arrived >= own_closes,
                arrived - own <= plan.late_days,
                # What a late correction corrects was counted when it was due.
                ~corrects,
            ),
        ),
    )


def session_counts(period: Period, plan: Plan) -> ColumnElement[bool]:
    """Say that a session counts in a period, if its participant agreed."""
    return and_(
        belongs(SESSIONS, period, plan),
        counted.counts(received_before=period.closes_at(plan.grace_days)),
    )


def _counted_sessions(
    period: Period, plan: Plan, routines: Sequence[str]
) -> Select[tuple[Any, ...]]:
    """Add up each participant's sessions by routine."""
    change = SESSIONS.c.pain_after - SESSIONS.c.pain_before
    scored = change.is_not(None)
    routine = _index(func.coalesce(SESSIONS.c.routine_id, ""), routines)
    return (
        select(
            SESSIONS.c.participant_id,
            routine.label("routine"),
            func.count().label("sessions"),
            _total(case((scored, 1), else_=0)).label("scored"),
            _total(case((scored, change), else_=0)).label("change"),
        )
        .where(session_counts(period, plan))
        .group_by(SESSIONS.c.participant_id, "routine")
    )


def _people(period: Period, plan: Plan, routines: Sequence[str]) -> CTE:
    """Make one row of each participant: totals, and the routine with the most sessions.

    The routine comes out of a maximum, and not of a window over the same rows, which is 200 times
    slower on SQLite; of equals the first one wins.
    """
    by_routine = _counted_sessions(period, plan, routines).cte("by_routine")
    best = by_routine.c.sessions * (MOST_KEYS + 1) + MOST_KEYS - by_routine.c.routine
    return (
        select(
            by_routine.c.participant_id,
            _total(by_routine.c.sessions).label("sessions"),
            _total(by_routine.c.scored).label("scored"),
            _total(by_routine.c.change).label("change"),
            cast(func.max(best), BigInteger).label("best"),
        )
        .group_by(by_routine.c.participant_id)
        .cte("people")
    )


def _pain(people: CTE, plan: Plan) -> ColumnElement[int]:
    """Return a participant's mean change in tenths, rounded, clamped, from the middle."""
    half = 2 * people.c.scored
    # A hundred points are added before and taken off after: whole numbers divide towards zero.
    tenths = (20 * people.c.change + 2001 * people.c.scored) // half - 1000
    clamped = _clamped(tenths, plan.pain.lowest_tenths, plan.pain.highest_tenths)
    return case((people.c.scored > 0, clamped - plan.pain.middle), else_=0)


def _from_sessions(
    period: Period, plan: Plan, of: PeriodPlan, table: TablePlan, keys: Keys
) -> Select[tuple[Any, ...]]:
    people = _people(period, plan, keys.of(TableName.ROUTINE, plan))
    pain = _pain(people, plan)
    met, scored = people.c.sessions >= of.dose, people.c.scored > 0
    numbers: Mapping[Statistic, ColumnElement[int]] = {
        Statistic.PRACTISED: func.count() * PRACTISED_WEIGHT,
        Statistic.DOSE_MET: _total(case((met, DOSE_MET_WEIGHT), else_=-DOSE_MET_WEIGHT)),
        Statistic.SCORED: _total(case((scored, SCORED_WEIGHT), else_=-SCORED_WEIGHT)),
        Statistic.PAIN: _total(pain),
        Statistic.SESSIONS: _total(_clamped(people.c.sessions, 0, of.session_cap)),
        Statistic.PAIN_SQUARES: _total(pain * pain),
    }
    names = keys.of(table.table, plan)
    index: ColumnElement[int]
    if table.table is TableName.ROUTINE:
        index = MOST_KEYS - people.c.best % (MOST_KEYS + 1)
    elif table.table is TableName.ALL:
        index = _first_of(people.c.sessions)
    else:
        column = PARTICIPANTS.c.age_band if table.table is TableName.AGE else PARTICIPANTS.c.region
        index = _index(column, names)
    wanted = [
        numbers[statistic].label(statistic)
        for measure in table.measures
        for statistic in STATISTICS[measure.measure]
    ]
    own = people.c.participant_id == PARTICIPANTS.c.participant_id
    key = index.label("cell")
    columns: list[ColumnElement[Any]] = [key, *wanted]
    return (
        select(*columns)
        .select_from(people.join(PARTICIPANTS, own))
        .where(takes_part(people.c.participant_id, period, plan))
        .group_by("cell")
    )


def _from_reports(
    period: Period, plan: Plan, table: TablePlan, keys: Keys, dialect: str
) -> Select[tuple[Any, ...]]:
    """Count each participant once, under the most severe of the rules that fired."""
    rules = keys.of(TableName.RED_FLAG_RULE, plan)
    if dialect == "sqlite":
        fired = func.json_each(DECISIONS.c.fired).table_valued("value", name="fired_rule")
    else:
        listed = cast(DECISIONS.c.fired, postgresql.JSONB)
        fired = func.jsonb_array_elements_text(listed).table_valued("value", name="fired_rule")
    known = {rule: severity for severity, rule in enumerate(rules[:-1])}
    by_level = case((DECISIONS.c.level.in_(plan.red_flag_levels), len(rules) - 1), else_=null())
    severity = case(known, value=fired.c.value, else_=by_level) if known else by_level
    current = and_(
        DECISIONS.c.participant_id == REPORTS.c.participant_id,
        DECISIONS.c.id == REPORTS.c.decision_id,
    )
    worst = (
        select(REPORTS.c.participant_id, func.min(severity).label("severity"))
        .select_from(REPORTS.join(DECISIONS, current).outerjoin(fired, true()))
        .where(belongs(REPORTS, period, plan))
        .group_by(REPORTS.c.participant_id)
        .cte("worst")
    )
    everybody = table.table is TableName.RED_FLAG
    key = (_first_of(worst.c.severity) if everybody else worst.c.severity).label("cell")
    count = func.count().label(Statistic.RED_FLAGS)
    return (
        select(key, count)
        .where(worst.c.severity.is_not(None), takes_part(worst.c.participant_id, period, plan))
        .group_by("cell")
    )


def statement(
    period: Period, plan: Plan, table: TablePlan, keys: Keys, dialect: str
) -> Select[tuple[Any, ...]]:
    """Make the statement of one table."""
    if table.table in FROM_REPORTS:
        return _from_reports(period, plan, table, keys, dialect)
    return _from_sessions(period, plan, plan.period(period.kind), table, keys)


async def compute(
    db: AsyncSession, period: Period, plan: Plan, table: TablePlan, keys: Keys
) -> Exact:
    """Return the exact number of every cell, zeros included: a gap would tell something."""
    names = keys.of(table.table, plan)
    statistics = [
        statistic for measure in table.measures for statistic in STATISTICS[measure.measure]
    ]
    exact: Exact = {(key, statistic): 0 for key in names for statistic in statistics}
    made = statement(period, plan, table, keys, db.get_bind().dialect.name)
    for row in (await db.execute(made)).mappings():
        for statistic in statistics:
            exact[names[row["cell"]], statistic] = int(row[statistic])
    return exact
