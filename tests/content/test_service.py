"""Releases in the database: stored completely, once, and permanently."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content import service
from api.content.catalogue import Catalogue
from api.content.models import ActiveRelease, ContentBody, ContentRelease, KnownActivity
from api.content.release import document_of
from api.core.config import Settings
from api.core.db import Database
from tests.support.clock import FakeClock

Result = TypeVar("Result")
TABLES = (ContentRelease, ContentBody, ActiveRelease, KnownActivity)


def in_transaction(url: str, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    """Run some work on the database."""

    async def run() -> Result:
        database = Database(Settings(database_url=url))
        try:
            async with database.write() as db:
                return await work(db)
        finally:
            await database.close()

    return asyncio.run(run())


def active(url: str) -> str | None:
    return in_transaction(url, service.active_hash)


def counts(url: str) -> list[int]:
    async def count(db: AsyncSession) -> list[int]:
        found = [await db.execute(select(func.count()).select_from(table)) for table in TABLES]
        return [result.scalar_one() for result in found]

    return in_transaction(url, count)


def seeded(url: str, state: Catalogue, clock: FakeClock) -> tuple[Any, bool]:
    return in_transaction(url, lambda db: service.seed(db, state, clock))


def test_a_release_is_loaded_as_it_was_stored(
    database_url: str, small: Catalogue, clock: FakeClock
) -> None:
    release, changed = seeded(database_url, small, clock)
    assert changed
    assert active(database_url) == release.hash
    loaded = in_transaction(database_url, lambda db: service.load_release(db, release.hash))
    assert loaded.hash == release.hash
    assert loaded.rule_set_hash == release.rule_set_hash
    assert loaded.deleted == release.deleted
    assert document_of(loaded.catalogue) == document_of(small)
    assert loaded.bodies == release.bodies


def test_the_same_state_is_stored_once(
    database_url: str, small: Catalogue, clock: FakeClock
) -> None:
    first, _ = seeded(database_url, small, clock)
    before = counts(database_url)
    clock.advance(days=1)
    again, changed = seeded(database_url, small, clock)
    assert not changed
    assert again.hash == first.hash
    assert counts(database_url) == before


def test_a_release_has_its_predecessor_and_its_time(
    database_url: str, small: Catalogue, clock: FakeClock
) -> None:
    before = active(database_url)
    release, _ = seeded(database_url, small, clock)

    async def stored(db: AsyncSession) -> tuple[Any, ...]:
        columns = (col(ContentRelease.previous_hash), col(ContentRelease.stored_at))
        statement = select(*columns).where(col(ContentRelease.hash) == release.hash)
        return tuple((await db.execute(statement)).one())

    assert before is not None
    assert in_transaction(database_url, stored) == (before, clock.now())


def test_a_body_named_by_its_hash_is_found_in_every_release(
    database_url: str, small: Catalogue, clock: FakeClock
) -> None:
    def body(path: str) -> Any:
        return in_transaction(database_url, lambda db: service.find_body(db, path))

    before = active(database_url)
    assert before is not None
    project = in_transaction(database_url, lambda db: service.load_release(db, before))
    seeded(database_url, small, clock)
    named = [path for path, _ in project.bodies if path.startswith(("media/", "triage/rule-sets/"))]
    # Twelve pictures in two languages, for light and for dark screens, and the rule set.
    assert len(named) == 12 * 2 * 2 + 1
    for path in named:
        assert body(path) == project.bodies[path, ""]
    assert body("media/no-such-0123456789abcdef.svg") is None


def test_an_activity_of_any_release_remains_known(
    database_url: str, small: Catalogue, clock: FakeClock
) -> None:
    new = small.exercises[0].model_copy(update={"id": "toe-spread"})
    asked = {"toe-spread", "sore-spot-massage", "hand-stand"}

    def known() -> set[str]:
        return in_transaction(database_url, lambda db: service.known_activities(db, asked))

    assert known() == {"sore-spot-massage"}
    seeded(database_url, replace(small, exercises=(*small.exercises, new)), clock)
    assert known() == {"toe-spread", "sore-spot-massage"}
    seeded(database_url, small, clock)
    assert known() == {"toe-spread", "sore-spot-massage"}


def test_a_release_that_fails_half_way_stores_nothing(
    database_url: str, small: Catalogue, clock: FakeClock
) -> None:
    before, stored = active(database_url), counts(database_url)

    async def fail(db: AsyncSession) -> None:
        await service.seed(db, small, clock)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        in_transaction(database_url, fail)
    assert active(database_url) == before
    assert counts(database_url) == stored
