"""Withdrawing a rule set reaches every participant it decided for exactly once."""

import asyncio
import contextlib
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import event, text, update
from starlette.testclient import TestClient

from api.content.loading import load_catalogue
from api.content.rule_set import reviewed_document
from api.core.config import SEED_FOLDER, Settings
from api.core.db import Database
from api.journal import withdrawal
from api.journal.models import StoredDecision, SymptomReport
from api.journal.withdrawal import Redoing, Redone, count_people, redo_decisions
from api.participants.models import Participant
from api.triage.rules import RuleSet, compile_rule_set
from tests.core.stored import rows
from tests.support.clock import FakeClock
from tests.support.device import Device

PEOPLE = 5
Result = TypeVar("Result")
Work = Callable[[Database], Awaitable[Result]]


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """A rule set that says of radiating pain that it is urgent."""
    folder = tmp_path_factory.mktemp("corrected") / "seed"
    shutil.copytree(SEED_FOLDER, folder)
    path = folder / "triage/rules.json"
    rules = json.loads(path.read_text("utf-8"))
    (rule,) = [rule for rule in rules if rule["id"] == "P01"]
    rule |= {"level": "urgent", "action": "same_day", "version": 2}
    path.write_text(json.dumps(rules), "utf-8")
    return compile_rule_set(reviewed_document(load_catalogue(folder)))


@pytest.fixture
def withdrawn(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """Upload two reports for most people and none for one; return the rule set's hash.

    A few people fill several pages and transactions.
    """
    monkeypatch.setattr(withdrawal, "PAGE", 2)
    monkeypatch.setattr(withdrawal, "TOGETHER", 1)
    for number in range(PEOPLE):
        device = Device(client)
        device.enrol()
        for answers in ({"radiating_pain": "left"}, {}) if number else ():
            answered = device.post_report(device.report(answers))
            assert answered.status_code == 201
    decision: dict[str, Any] = answered.json()["decision"]
    return str(decision["rule_set_hash"])


def with_database(url: str, work: Work[Result]) -> Result:
    async def run() -> Result:
        database = Database(Settings(database_url=url))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def redo(
    url: str, withdrawn: str, corrected: RuleSet, pages: int = 100
) -> tuple[list[int], list[Redone]]:
    """Decide again, and stop after some pages as if killed."""

    async def work(database: Database) -> tuple[list[int], list[Redone]]:
        looked: list[int] = []
        redone: list[Redone] = []
        again = redo_decisions(database, withdrawn, corrected, FakeClock().now())
        async with contextlib.aclosing(again):
            async for people, found in again:
                looked.append(people)
                redone += found
                if len(looked) == pages:
                    break
        return looked, redone

    return with_database(url, work)


def test_all_participants_are_processed_once_and_have_decisions_of_the_new_rules(
    database_url: str, withdrawn: str, corrected: RuleSet
) -> None:
    before = {row["id"]: row for row in rows(database_url, StoredDecision)}
    looked, redone = redo(database_url, withdrawn, corrected)
    assert looked == [2, 2, 1]
    assert {entry.old_id for entry in redone} == before.keys()
    assert Counter(entry.level_after for entry in redone)["urgent"] == PEOPLE - 1
    after = {row["id"]: row for row in rows(database_url, StoredDecision)}
    for entry in redone:
        decision = after[entry.new_id]
        assert decision["supersedes"] == entry.old_id
        assert decision["rule_set_hash"] == corrected.hash
        assert decision["report_id"] == before[entry.old_id]["report_id"]
    current = {row["decision_id"] for row in rows(database_url, SymptomReport)}
    assert current == {entry.new_id for entry in redone}
    # Each of the two reports is a change that the device will fetch.
    changes = Counter(row["last_change"] for row in rows(database_url, Participant))
    assert sorted(changes.values()) == [1, PEOPLE - 1]
    assert redo(database_url, withdrawn, corrected) == ([2, 2, 1], [])


def test_a_run_that_is_cut_short_goes_on_where_it_stopped(
    database_url: str, withdrawn: str, corrected: RuleSet
) -> None:
    _, first = redo(database_url, withdrawn, corrected, pages=1)
    _, second = redo(database_url, withdrawn, corrected)
    done = Counter(entry.old_id for entry in (*first, *second))
    assert first
    assert second
    assert set(done) == {row["id"] for row in rows(database_url, StoredDecision)} - {
        entry.new_id for entry in (*first, *second)
    }
    assert set(done.values()) == {1}


def test_two_runs_at_once_decide_once(
    database_url: str, withdrawn: str, corrected: RuleSet
) -> None:
    async def both(database: Database) -> list[Redone]:
        async def one() -> list[Redone]:
            again = redo_decisions(database, withdrawn, corrected, FakeClock().now())
            return [entry async for _, found in again for entry in found]

        first, second = await asyncio.gather(one(), one())
        return [*first, *second]

    redone = with_database(database_url, both)
    assert Counter(entry.old_id for entry in redone).most_common(1)[0][1] == 1
    assert len(redone) == 2 * (PEOPLE - 1)


@pytest.mark.usefixtures("withdrawn")
def test_a_page_costs_the_same_wherever_it_is(database_url: str, corrected: RuleSet) -> None:
    """Two look-ups by key, because no participant is affected."""

    async def work(database: Database) -> list[int]:
        counts = []
        statements: list[str] = []

        @event.listens_for(database.reader.sync_engine, "before_cursor_execute")
        def count(*arguments: Any) -> None:
            statements.append(arguments[2])

        async for _ in redo_decisions(database, "0" * 64, corrected, FakeClock().now()):
            counts.append(sum("participant_id" in statement for statement in statements))
            statements.clear()
        return counts

    assert with_database(database_url, work) == [2, 2, 2]


def test_only_participants_of_the_current_page_are_processed(
    database_url: str, withdrawn: str, corrected: RuleSet
) -> None:
    async def work(database: Database) -> str:
        redoing = Redoing(database, withdrawn, corrected, FakeClock().now())
        people = redoing.using_it(uuid.UUID(int=1), uuid.UUID(int=2))
        compiled = people.compile(database.reader, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
        async with database.read() as db:
            if database.dialect == "postgresql":
                # Of a handful of rows it would read them all.
                await db.execute(text("SET LOCAL enable_seqscan = off"))
            plan = await db.execute(text(f"{explain} {compiled}"))
            return "\n".join(str(row) for row in plan)

    plan = with_database(database_url, work)
    if database_url.startswith("sqlite"):
        assert "SCAN" not in plan
        assert "(participant_id>? AND participant_id<?)" in plan
    else:
        assert "Seq Scan" not in plan
        assert "participant_id >= " in plan


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_uploads_that_began_before_the_withdrawal_are_waited_for(
    database_url: str, withdrawn: str, corrected: RuleSet
) -> None:
    """Decisions by the rule set from before its withdrawal that no one has read yet."""

    async def work(database: Database) -> None:
        redoing = Redoing(database, withdrawn, corrected, FakeClock().now())
        async with database.write() as upload:
            await upload.execute(update(Participant).values(used=True))
            waiting = asyncio.create_task(redoing.wait_for_uploads())
            await asyncio.wait({waiting}, timeout=0.3)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 20)

    with_database(database_url, work)


@pytest.mark.usefixtures("withdrawn")
def test_its_progress_can_be_read(database_url: str) -> None:
    assert with_database(database_url, count_people) == PEOPLE
