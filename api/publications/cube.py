"""The exact figures of a period, in one SQL statement for all tables that come from sessions.

Integers only, identical on SQLite and PostgreSQL. Whether a row counts depends only on rows of the
same participant, never on other participants or on the size of a cell. The exact figures are passed
to the noise and are neither stored nor logged.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Date,
    Executable,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    false,
    literal,
    null,
    or_,
    text,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy import select as core_select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col, func
from sqlmodel.ext.asyncio.session import AsyncSession

from api.journal import counted
from api.journal.decisions import IS_CURRENT
from api.journal.models import ExerciseSession, StoredDecision, SymptomReport
from api.participants.models import ConsentRecord, Participant
from api.publications.cell_keys import CellKeys
from api.publications.measures import (
    DOSE_MET_WEIGHT,
    FROM_REPORTS,
    PAIN_LEVEL_MIDDLE,
    PRACTISED_WEIGHT,
    SCORED_WEIGHT,
    STATISTICS,
    Statistic,
    TableName,
)
from api.publications.periods import Period, day_number, midnight
from api.publications.policy import MOST_KEYS, PublicationPolicy, TablePolicy

DAY_SECONDS = 86400
# Sessions may be dated up to two local days ahead of the server's clock.
AHEAD = datetime.timedelta(days=3)

Exact = dict[tuple[str, Statistic], int]
FROM_SESSIONS = tuple(statistic for statistic in Statistic if statistic != Statistic.RED_FLAGS)


class _DayNumber(FunctionElement[int]):
    """Days since 1970-01-01 of a date, or of an instant's date in UTC."""

    type = BigInteger()
    inherit_cache = True
    name = "day_number"


@compiles(_DayNumber, "sqlite")
def _day_number_on_sqlite(element: _DayNumber, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    # Not julianday(), which returns a fraction.
    return f"(CAST(strftime('%s', {column}) AS INTEGER) / {DAY_SECONDS})"


@compiles(_DayNumber, "postgresql")
def _day_number_on_postgresql(element: _DayNumber, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    (only,) = element.clauses
    date = column if isinstance(only.type, Date) else f"({column} AT TIME ZONE 'UTC')::date"
    return f"({date} - DATE '1970-01-01')"


def _total(value: ColumnElement[int]) -> ColumnElement[int]:
    """Sum as an integer: PostgreSQL sums BIGINT to NUMERIC, whose division is not integer."""
    return cast(func.sum(value), BigInteger)


def _clamped(value: ColumnElement[int], lowest: int, highest: int) -> ColumnElement[int]:
    """Clamp with CASE: LEAST and GREATEST treat NULL differently on the two databases."""
    return case((value < lowest, lowest), (value > highest, highest), else_=value)


def _first_of(value: ColumnElement[Any]) -> ColumnElement[int]:
    """Return 0, the number of the only key, for every row."""
    return case((value.is_(None), 0), else_=0)


def _index(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[int]:
    """Return the number of a key; unknown values get that of the last one."""
    last = len(keys) - 1
    if not last:
        return _first_of(value)
    return case({key: index for index, key in enumerate(keys[:-1])}, value=value, else_=last)


def agreed(
    participant_id: ColumnElement[Any], at: datetime.datetime | None = None
) -> ColumnElement[bool]:
    """Return the condition that the newest consent covers storage and research.

    With an instant, the newest of those given by then.
    """
    newest = aliased(ConsentRecord, name="newest")
    later = aliased(ConsentRecord, name="later")
    has_later = exists().where(
        col(later.participant_id) == col(newest.participant_id),
        col(later.number) > col(newest.number),
        true() if at is None else col(later.given_at) <= at,
    )
    return exists().where(
        col(newest.participant_id) == participant_id,
        col(newest.research),
        col(newest.storage),
        ~has_later,
        true() if at is None else col(newest.given_at) <= at,
    )


def takes_part(
    participant_id: ColumnElement[Any], period: Period, policy: PublicationPolicy
) -> ColumnElement[bool]:
    """Return the condition that a participant consented when a period closed, and still does.

    A consent withdrawn between closing and computing excludes the participant; one given then comes
    too late, since the privacy ledger does not know when the publisher really ran.
    """
    return and_(agreed(participant_id), agreed(participant_id, period.closes_at(policy.grace_days)))


Records = type[ExerciseSession] | type[SymptomReport]


def belongs(records: Records, period: Period, policy: PublicationPolicy) -> ColumnElement[bool]:
    """Return the condition that a record counts in a period.

    A record counts in the period of its date; one that arrives after that has closed counts in the
    period of its arrival. When the publisher really ran makes no difference.
    """
    received_at = col(records.received_at)
    own, arrived = _DayNumber(col(records.local_date)), _DayNumber(received_at)
    first = day_number(period.starts_on)
    number, phase = divmod(first, period.days)
    own_number = (own - phase) // period.days
    own_closes = (own_number + 1) * period.days + phase + policy.grace_days
    corrects: ColumnElement[bool] = false()
    if issubclass(records, ExerciseSession):
        corrects = col(records.replaces).is_not(None)
    return and_(
        # For the index; other rows cannot belong to the period.
        received_at >= midnight(period.starts_on - AHEAD),
        received_at < period.closes_at(policy.grace_days),
        or_(
            and_(own_number == number, arrived < own_closes),
            and_(
                (arrived - phase) // period.days == number,
                arrived >= own_closes,
                arrived - own <= policy.late_days,
                # The session that a late correction corrects was counted in time.
                ~corrects,
            ),
        ),
    )


def session_counts(period: Period, policy: PublicationPolicy) -> ColumnElement[bool]:
    """Return the condition that a session counts in a period, if its participant consented."""
    return and_(
        belongs(ExerciseSession, period, policy),
        counted.counts(received_before=period.closes_at(policy.grace_days)),
    )


def _counted_sessions(period: Period, policy: PublicationPolicy, routines: Sequence[str]) -> CTE:
    """Sum each participant's sessions by routine."""
    change = col(ExerciseSession.pain_after) - col(ExerciseSession.pain_before)
    scored = change.is_not(None)
    routine = _index(func.coalesce(col(ExerciseSession.routine_id), ""), routines)
    return (
        core_select(
            col(ExerciseSession.participant_id),
            routine.label("routine"),
            func.count().label("sessions"),
            _total(case((scored, 1), else_=0)).label("scored"),
            _total(case((scored, change), else_=0)).label("change"),
            _total(case((scored, col(ExerciseSession.pain_before)), else_=0)).label("before"),
        )
        .where(session_counts(period, policy))
        .group_by(col(ExerciseSession.participant_id), "routine")
        .cte("by_routine")
    )


def _people(period: Period, policy: PublicationPolicy, routines: Sequence[str]) -> CTE:
    """Return one row for each participant: totals, and the routine with the most sessions.

    The routine is found by a maximum, since a window over the same rows is 200 times slower on
    SQLite; the first one wins a tie.
    """
    by_routine = _counted_sessions(period, policy, routines)
    best = by_routine.c.sessions * (MOST_KEYS + 1) + MOST_KEYS - by_routine.c.routine
    return (
        core_select(
            by_routine.c.participant_id,
            _total(by_routine.c.sessions).label("sessions"),
            _total(by_routine.c.scored).label("scored"),
            _total(by_routine.c.change).label("change"),
            _total(by_routine.c.before).label("before"),
            cast(func.max(best), BigInteger).label("best"),
        )
        .group_by(by_routine.c.participant_id)
        .cte("people")
    )


def _pain(people: CTE, policy: PublicationPolicy) -> ColumnElement[int]:
    """Return a participant's mean pain change in tenths, rounded, clamped and centred."""
    half = 2 * people.c.scored
    # Shifted by a hundred points, because integer division rounds towards zero.
    tenths = (20 * people.c.change + 2001 * people.c.scored) // half - 1000
    clamped = _clamped(tenths, policy.pain.lowest_tenths, policy.pain.highest_tenths)
    return case((people.c.scored > 0, clamped - policy.pain.middle), else_=0)


def _pain_level(people: CTE) -> ColumnElement[int]:
    """Return a participant's mean pain before sessions in tenths, rounded and centred.

    Over the sessions with both scores, so that `scored` counts whom it is about.
    """
    tenths = (20 * people.c.before + people.c.scored) // (2 * people.c.scored)
    return case((people.c.scored > 0, tenths - PAIN_LEVEL_MIDDLE), else_=0)


def _tenure(period: Period, weeks: Sequence[int]) -> ColumnElement[int]:
    """Return the number of the group by the time from joining to the end of the period."""
    days = day_number(period.ends_on) - _DayNumber(col(Participant.enrolled_at))
    return case(*((days < 7 * last, group) for group, last in enumerate(weeks)), else_=len(weeks))


def _group(
    table: TableName, people: CTE, period: Period, policy: PublicationPolicy, keys: CellKeys
) -> ColumnElement[int]:
    """Return the number of the cell of a table in which a participant is."""
    if table is TableName.ROUTINE:
        return MOST_KEYS - people.c.best % (MOST_KEYS + 1)
    if table is TableName.ALL:
        return _first_of(people.c.sessions)
    if table is TableName.TENURE:
        return _tenure(period, policy.tenure_weeks)
    column = Participant.age_band if table is TableName.AGE else Participant.region
    return _index(type_coerce(column, String), keys.of(table, policy))


def _contributions(
    period: Period, policy: PublicationPolicy, tables: Sequence[TablePolicy], keys: CellKeys
) -> CTE:
    """Return one row for each participant: what they add, and to which cell of each table."""
    people = _people(period, policy, keys.of(TableName.ROUTINE, policy))
    of = policy.period(period.kind)
    met, scored = people.c.sessions >= of.dose, people.c.scored > 0
    pain = _pain(people, policy)
    numbers: Mapping[Statistic, ColumnElement[int]] = {
        Statistic.PRACTISED: literal(PRACTISED_WEIGHT),
        Statistic.DOSE_MET: case((met, DOSE_MET_WEIGHT), else_=-DOSE_MET_WEIGHT),
        Statistic.SCORED: case((scored, SCORED_WEIGHT), else_=-SCORED_WEIGHT),
        Statistic.PAIN: pain,
        Statistic.SESSIONS: _clamped(people.c.sessions, 0, of.session_cap),
        Statistic.PAIN_SQUARES: pain * pain,
        Statistic.PAIN_LEVEL: _pain_level(people),
    }
    groups = [
        _group(table.table, people, period, policy, keys).label(f"in_{table.table}")
        for table in tables
    ]
    columns: list[ColumnElement[Any]] = [
        *(number.label(statistic) for statistic, number in numbers.items()),
        *groups,
    ]
    return (
        core_select(*columns)
        .select_from(people)
        .join(Participant, people.c.participant_id == col(Participant.participant_id))
        .where(takes_part(people.c.participant_id, period, policy))
        .cte("contributions")
    )


def _from_sessions(
    period: Period, policy: PublicationPolicy, tables: Sequence[TablePolicy], keys: CellKeys
) -> CompoundSelect[Any]:
    """Return the statement of all tables that are made from sessions.

    The rows of the participants are made once: finding the sessions that count takes nearly all of
    the time.
    """
    rows = _contributions(period, policy, tables, keys)
    return union_all(
        *(
            core_select(
                literal(number).label("number"),
                rows.c[f"in_{table.table}"].label("cell"),
                *(
                    (_total(rows.c[name]) if name in statistics_of(table) else literal(0)).label(
                        name
                    )
                    for name in FROM_SESSIONS
                ),
            ).group_by(rows.c[f"in_{table.table}"])
            for number, table in enumerate(tables)
        )
    )


def _from_reports(
    period: Period, policy: PublicationPolicy, table: TablePolicy, keys: CellKeys, dialect: str
) -> Select[tuple[Any, ...]]:
    """Count each participant once, under the most severe rule that fired."""
    rules = keys.of(TableName.RED_FLAG_RULE, policy)
    if dialect == "sqlite":
        fired = func.json_each(col(StoredDecision.fired)).table_valued("value", name="fired_rule")
    else:
        listed = cast(col(StoredDecision.fired), postgresql.JSONB)
        fired = func.jsonb_array_elements_text(listed).table_valued("value", name="fired_rule")
    known = {rule: severity for severity, rule in enumerate(rules[:-1])}
    by_level = case(
        (col(StoredDecision.level).in_(policy.red_flag_levels), len(rules) - 1), else_=null()
    )
    severity = case(known, value=fired.c.value, else_=by_level) if known else by_level
    worst = (
        core_select(col(SymptomReport.participant_id), func.min(severity).label("severity"))
        .select_from(SymptomReport)
        .join(StoredDecision, IS_CURRENT)
        .outerjoin(fired, true())
        .where(belongs(SymptomReport, period, policy))
        .group_by(col(SymptomReport.participant_id))
        .cte("worst")
    )
    is_total = table.table is TableName.RED_FLAG
    key = (_first_of(worst.c.severity) if is_total else worst.c.severity).label("cell")
    count = func.count().label(Statistic.RED_FLAGS)
    return (
        core_select(literal(0).label("number"), key, count)
        .where(worst.c.severity.is_not(None), takes_part(worst.c.participant_id, period, policy))
        .group_by("cell")
    )


def statistics_of(table: TablePolicy) -> tuple[Statistic, ...]:
    """Return the statistics of a table's cells."""
    return tuple(s for measure in table.measures for s in STATISTICS[measure.measure])


async def compute(
    db: AsyncSession,
    period: Period,
    policy: PublicationPolicy,
    tables: Sequence[TablePolicy],
    keys: CellKeys,
) -> dict[TableName, Exact]:
    """Return the exact figure of every cell, including zeros: a gap would reveal something."""
    exact: dict[TableName, Exact] = {
        table.table: {
            (key, statistic): 0
            for key in keys.of(table.table, policy)
            for statistic in statistics_of(table)
        }
        for table in tables
    }
    connection = await db.connection()
    if connection.dialect.name == "postgresql":
        # Compiling these statements takes longer than running them.
        await connection.execute(text("SET LOCAL jit = off"))

    async def read(statement: Executable, of: Sequence[TablePolicy]) -> None:
        for row in (await connection.execute(statement)).mappings():
            table = of[row["number"]]
            key = keys.of(table.table, policy)[row["cell"]]
            for statistic in statistics_of(table):
                exact[table.table][key, statistic] = int(row[statistic])

    from_sessions = [table for table in tables if table.table not in FROM_REPORTS]
    if from_sessions:
        await read(_from_sessions(period, policy, from_sessions, keys), from_sessions)
    for table in tables:
        if table.table in FROM_REPORTS:
            dialect = db.get_bind().dialect.name
            await read(_from_reports(period, policy, table, keys, dialect), [table])
    return exact
