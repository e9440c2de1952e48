"""The numbered change feed of a participant, from which other devices synchronise."""

import datetime
import functools
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, insert, update
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import UNSYNCED, NewRow, Values, table_of
from api.core.direct import Direct, connection_of
from api.participants.models import Participant, RecordedChange


class ChangedKind(StrEnum):
    """The kind of record that changed."""

    SESSION = "session"
    SYMPTOM_REPORT = "symptom_report"
    CLEARANCE = "clearance"
    PROFILE = "profile"
    CONSENT = "consent"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Change:
    """A record, profile, consent or schedule that was stored, changed or deleted.

    Profile, consent and schedule exist once for each participant: their id is the participant's.
    """

    kind: ChangedKind
    record_id: uuid.UUID
    deleted: bool = False


COUNT_CHANGES = (
    update(Participant)
    .where(col(Participant.participant_id) == bindparam("owner"))
    .values(last_change=col(Participant.last_change) + bindparam("count"))
    .returning(col(Participant.last_change))
    .execution_options(**UNSYNCED)
)
ADD_CHANGES = insert(RecordedChange)
COUNT = Direct(COUNT_CHANGES)


async def store(
    db: AsyncSession,
    participant_id: uuid.UUID,
    rows: Sequence[NewRow],
    changes: Sequence[Change],
    now: datetime.datetime,
) -> None:
    """Insert new rows, and number the changes without gaps in the order of their transactions.

    Rows of a table are inserted together, and tables in the order in which they first occur. The
    caller holds the participant's lock and has looked the ids up. If a key is taken nevertheless,
    that is an error: nothing may be acknowledged that is not stored.

    Counting locks the participant's row until the commit, so that no reader sees a number before
    all lower ones.
    """
    by_table: dict[type[SQLModel], list[Values]] = {}
    for model, values in rows:
        by_table.setdefault(model, []).append(values)
    if len(changes) == 1 and all(len(values) == 1 for values in by_table.values()):
        await _store_one(
            db, participant_id, {m: row for m, (row,) in by_table.items()}, changes[0], now
        )
        return
    connection = await db.connection()
    for model, found in by_table.items():
        await connection.execute(insert(model), found)
    if changes:
        counting = {"owner": participant_id, "count": len(changes)}
        last: int = (await connection.execute(COUNT_CHANGES, counting)).scalar_one()
        first = last - len(changes) + 1
        noted = [
            {**_noted(change, now), "participant_id": participant_id, "number": number}
            for number, change in enumerate(changes, first)
        ]
        await connection.execute(ADD_CHANGES, noted)


async def _store_one(
    db: AsyncSession,
    participant_id: uuid.UUID,
    rows: Mapping[type[SQLModel], Values],
    change: Change,
    now: datetime.datetime,
) -> None:
    """Insert one row into each table, with one change.

    SQLite has no INSERT inside of WITH, and no network to cross.
    """
    noted = _noted(change, now) | {"owner": participant_id, "count": 1}
    if connection_of(db).dialect.name == "postgresql":
        for model, row in rows.items():
            noted |= {f"{model.__tablename__}_{name}": value for name, value in row.items()}
        shapes = tuple((model, frozenset(row)) for model, row in rows.items())
        await _in_one_statement(shapes).rows(db, noted)
        return
    for model, row in rows.items():
        await _one_row(model, frozenset(row)).rows(db, row)
    ((number,),) = await COUNT.rows(db, noted)
    change_row = {**_noted(change, now), "participant_id": participant_id, "number": number}
    await _one_row(RecordedChange, frozenset(change_row)).rows(db, change_row)


def _noted(change: Change, now: datetime.datetime) -> dict[str, object]:
    return {
        "kind": change.kind.value,
        "record_id": change.record_id,
        "deleted": change.deleted,
        "changed_at": now,
    }


@functools.cache
def _one_row(model: type[SQLModel], names: frozenset[str]) -> Direct:
    """Make the statement that inserts one row."""
    return Direct(insert(table_of(model)).values({name: bindparam(name) for name in names}))


@functools.cache
def _in_one_statement(shapes: tuple[tuple[type[SQLModel], frozenset[str]], ...]) -> Direct:
    """Make the statement that inserts one row into each table with one change: one round trip."""
    counted = COUNT_CHANGES.cte("counted")
    columns = RecordedChange.__table__.c  # type: ignore[attr-defined]  # set by SQLModel
    noted = ("kind", "record_id", "deleted", "changed_at")
    change = select(
        bindparam("owner", type_=columns.participant_id.type),
        counted.c.last_change,
        *(bindparam(name, type_=columns[name].type) for name in noted),
    )
    statement = ADD_CHANGES.from_select(["participant_id", "number", *noted], change)
    for model, names in shapes:
        table = table_of(model)
        row = insert(table).values({name: bindparam(f"{table.name}_{name}") for name in names})
        statement = statement.add_cte(row.cte(f"new_{table.name}"))
    return Direct(statement)


async def record_changes(
    db: AsyncSession, participant_id: uuid.UUID, changes: Sequence[Change], now: datetime.datetime
) -> None:
    """Number changes of rows that were written before; the caller holds the participant's lock."""
    await store(db, participant_id, (), changes, now)


async def deleted_among(
    db: AsyncSession, participant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> set[tuple[ChangedKind, uuid.UUID]]:
    """Return which of these records the participant deleted."""
    statement = select(RecordedChange.kind, RecordedChange.record_id).where(
        RecordedChange.participant_id == participant_id,
        col(RecordedChange.record_id).in_(ids),
        col(RecordedChange.deleted),
    )
    return {(ChangedKind(kind), record_id) for kind, record_id in await db.exec(statement)}


async def change_at(db: AsyncSession, participant_id: uuid.UUID, number: int) -> uuid.UUID | None:
    """Return the record of the change with this number, or None if there is no such change."""
    statement = select(RecordedChange.record_id).where(
        RecordedChange.participant_id == participant_id, RecordedChange.number == number
    )
    return (await db.exec(statement)).one_or_none()
