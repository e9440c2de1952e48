"""Statements that the driver runs itself belong to the session's transaction like all others."""

import uuid

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import table_of
from api.core.direct import Direct
from api.participants.models import Participant
from tests.core.stored import database_at, in_database
from tests.core.test_db import participant

TABLE = table_of(Participant)
NAMES = [column.name for column in TABLE.columns]
ADD = Direct(insert(TABLE).values({name: bindparam(name) for name in NAMES}))
FIND = Direct(
    select(TABLE).where(TABLE.c.participant_id == bindparam("id"), TABLE.c.language == "en")
)
IDS = select(col(Participant.participant_id))


class Stopped(Exception):
    """Ends a transaction."""


def test_values_are_stored_and_come_back_as_sqlalchemy_has_them(database_url: str) -> None:
    values = participant(conditions=["diabetes"])

    async def store(db: AsyncSession) -> None:
        await ADD.rows(db, values)
        stored = (await db.execute(select(TABLE))).one()
        assert dict(stored._mapping) == values
        (found,) = await FIND.rows(db, {"id": values["participant_id"]})
        assert dict(zip(NAMES, found, strict=True)) == values

    in_database(database_url, store)


def test_what_runs_directly_is_rolled_back_with_everything_else(database_url: str) -> None:
    async def first(db: AsyncSession) -> None:
        await ADD.rows(db, participant())
        await db.execute(insert(Participant).values(participant()))
        raise Stopped

    async def nested(db: AsyncSession) -> None:
        kept = participant()
        await ADD.rows(db, kept)
        async with db.begin_nested() as savepoint:
            await ADD.rows(db, participant())
            await savepoint.rollback()
        assert (await db.execute(IDS)).scalars().all() == [kept["participant_id"]]

    with pytest.raises(Stopped):
        in_database(database_url, first)
    in_database(database_url, nested)


def test_what_runs_directly_is_unseen_until_the_commit(database_url: str) -> None:
    async def store(db: AsyncSession) -> None:
        await ADD.rows(db, participant())
        assert len((await db.execute(IDS)).all()) == 1
        async with database_at(database_url).read() as other:
            assert (await other.execute(IDS)).all() == []

    in_database(database_url, store)


def test_an_error_is_raised_as_by_sqlalchemy_and_says_no_values(database_url: str) -> None:
    values = participant(time_zone="Secret/Zone")

    async def store_twice(db: AsyncSession) -> None:
        await ADD.rows(db, values)
        await ADD.rows(db, values)

    with pytest.raises(IntegrityError) as raised:
        in_database(database_url, store_twice)
    assert "Secret" not in str(raised.value)


def test_a_value_that_is_missing_is_an_error(database_url: str) -> None:
    async def find(db: AsyncSession) -> None:
        await FIND.rows(db, {"identifier": uuid.uuid4()})

    with pytest.raises(KeyError, match="id"):
        in_database(database_url, find)
