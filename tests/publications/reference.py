"""The cube a second time, in plain Python and exact fractions: what the SQL is held against."""

import datetime
import math
import uuid
from collections import Counter
from fractions import Fraction
from typing import Any

from api.publications.cell_keys import CellKeys
from api.publications.cube import Exact
from api.publications.measures import STATISTICS, Statistic, TableName
from api.publications.periods import Period
from api.publications.policy import PublicationPolicy, TablePolicy
from tests.publications.population import Person

Row = dict[str, Any]


def agrees(person: Person) -> bool:
    research, _ = person.consents[-1]
    return research and person.storage


def start_of(day: datetime.date, period: Period) -> datetime.date:
    """Return the first day of the period of this kind that a day lies in."""
    return period.starts_on + period.days * datetime.timedelta(
        days=math.floor(Fraction((day - period.starts_on).days, period.days))
    )


def counts_in(row: Row, period: Period, policy: PublicationPolicy) -> bool:
    own = start_of(row["local_date"], period)
    arrived = row["received_at"].date()
    if arrived < own + datetime.timedelta(days=period.days + policy.grace_days):
        return own == period.starts_on
    too_old = (arrived - row["local_date"]).days > policy.late_days
    correction = row.get("replaces") is not None
    return not too_old and not correction and start_of(arrived, period) == period.starts_on


def standing(person: Person, closing: datetime.date) -> set[uuid.UUID]:
    """Return one session of each that was practised, of those that it was corrected by last."""
    replaces = {row["id"]: row["replaces"] for row in person.sessions}
    known = {row["id"] for row in person.sessions if row["received_at"].date() < closing}
    corrected = {replaces[name] for name in known}
    # What corrects nothing has no rival.
    stand = {name for name in known - corrected if replaces[name] is None}
    last: dict[uuid.UUID, uuid.UUID] = {}
    for name in known - corrected - stand:
        first = name
        while replaces[first] is not None:
            first = replaces[first]
        last[first] = max(name, last.get(first, name))
    return stand | set(last.values())


def sessions_of(person: Person, period: Period, policy: PublicationPolicy) -> list[Row]:
    stand = standing(person, period.closes_on(policy.grace_days))
    return [
        row
        for row in person.sessions
        if counts_in(row, period, policy) and row["status"] != "abandoned" and row["id"] in stand
    ]


def routine_of(sessions: list[Row], names: tuple[str, ...]) -> str:
    by_routine = Counter(
        row["routine_id"] if row["routine_id"] in names else names[-1] for row in sessions
    )
    return min(names, key=lambda name: (-by_routine[name], names.index(name)))


def pain_of(sessions: list[Row], policy: PublicationPolicy) -> int | None:
    changes = [
        row["pain_after"] - row["pain_before"]
        for row in sessions
        if row["pain_after"] is not None and row["pain_before"] is not None
    ]
    if not changes:
        return None
    tenths = math.floor(Fraction(10 * sum(changes), len(changes)) + Fraction(1, 2))
    return min(max(tenths, policy.pain.lowest_tenths), policy.pain.highest_tenths)


def level_of(sessions: list[Row]) -> int:
    before = [
        row["pain_before"]
        for row in sessions
        if row["pain_after"] is not None and row["pain_before"] is not None
    ]
    if not before:
        return 0
    return math.floor(Fraction(10 * sum(before), len(before)) + Fraction(1, 2)) - 50


def tenure_of(person: Person, period: Period, policy: PublicationPolicy) -> int:
    """Return how many of the groups' ends the weeks since joining have passed."""
    days = (period.ends_on - person.enrolled).days
    return sum(days >= 7 * weeks for weeks in policy.tenure_weeks)


def severity_of(
    person: Person, period: Period, policy: PublicationPolicy, rules: tuple[str, ...]
) -> str | None:
    found = set()
    for row in person.reports:
        if counts_in(row, period, policy):
            known = {rule for rule in row["fired"] if rule in rules[:-1]}
            found |= known
            if len(known) < len(row["fired"]) or not row["fired"]:
                found |= {rules[-1]} if row["level"] in policy.red_flag_levels else set()
    return min(found, key=rules.index) if found else None


def cube(
    people: list[Person],
    period: Period,
    policy: PublicationPolicy,
    table: TablePolicy,
    keys: CellKeys,
) -> Exact:
    names = keys.of(table.table, policy)
    rules = keys.of(TableName.RED_FLAG_RULE, policy)
    kind = policy.period(period.kind)
    exact: Exact = {
        (name, statistic): 0
        for name in names
        for measure in table.measures
        for statistic in STATISTICS[measure.measure]
    }

    def add(key: str, **numbers: int) -> None:
        for statistic, number in numbers.items():
            if (key, Statistic(statistic)) in exact:
                exact[key, Statistic(statistic)] += number

    for person in people:
        if not agrees(person):
            continue
        if table.table in {TableName.RED_FLAG, TableName.RED_FLAG_RULE}:
            severity = severity_of(person, period, policy, rules)
            if severity is not None:
                add(severity if table.table is TableName.RED_FLAG_RULE else names[0], red_flags=1)
            continue
        sessions = sessions_of(person, period, policy)
        if not sessions:
            continue
        key = {
            TableName.ROUTINE: routine_of(sessions, keys.of(TableName.ROUTINE, policy)),
            TableName.AGE: person.age_band,
            TableName.REGION: person.region,
            TableName.TENURE: keys.of(TableName.TENURE, policy)[tenure_of(person, period, policy)],
        }.get(table.table, names[0])
        pain = pain_of(sessions, policy)
        apart = 0 if pain is None else pain - policy.pain.middle
        add(
            key if key in names else names[-1],
            practised=7,
            dose_met=5 if len(sessions) >= kind.dose else -5,
            scored=-5 if pain is None else 5,
            pain=apart,
            pain_squares=apart**2,
            pain_level=level_of(sessions),
            sessions=min(len(sessions), kind.session_cap),
        )
    return exact
