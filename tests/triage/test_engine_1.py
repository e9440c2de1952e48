"""The first engine makes no new decisions, and its old ones can always be replayed."""

import asyncio
import copy
import datetime
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col
from starlette.testclient import TestClient

from api.content.models import ContentBody
from api.core.canonical import canonical, sha256
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.journal.decisions import case_of
from api.main import create_app
from api.triage.engines import as_shown, decide_as_then, level_as_then
from api.triage.evaluation import Case
from api.triage.rules import RuleSet, UnknownEngine, compile_rule_set
from api.triage.schemas import Decision
from tests.support import databases, first_engine
from tests.support.device import Json

OLD = first_engine.rule_set()


def instant(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)


def case_in(vector: Json) -> Case:
    report = dict(vector["report"])
    answers = report.pop("answers")
    country = report.pop("country")
    local_date = vector["local_date"]
    evaluated_at = instant(vector["evaluated_at"])
    assert evaluated_at is not None
    return Case(
        {**report, **answers},
        vector["language"],
        evaluated_at,
        report_id=vector["report_id"] and uuid.UUID(vector["report_id"]),
        reported_at=instant(vector["reported_at"]),
        local_date=local_date and datetime.date.fromisoformat(local_date),
        country=country,
        history_facts=tuple(vector["history_facts"]),
    )


def test_every_recorded_case_gets_the_recorded_bytes() -> None:
    vectors = first_engine.vectors()
    assert len(vectors) > 250
    assert {vector["level"] for vector in vectors} == {
        level["id"] for level in OLD.document["levels"]
    }
    for vector in vectors:
        case = case_in(vector)
        document, _ = decide_as_then(OLD, case)
        assert sha256(canonical(document)) == vector["decision_sha256"], vector["name"]
        assert level_as_then(OLD, case) == vector["level"], vector["name"]


def test_every_recorded_row_gets_the_recorded_bytes() -> None:
    reports = first_engine.report_rows()
    stored = first_engine.recorded()["decisions"]
    assert any(row["supersedes"] for row in stored)
    assert {row["language"] for row in stored} == {"en", "es"}
    for row in stored:
        at = instant(row["evaluated_at"])
        assert at is not None
        report = reports[uuid.UUID(row["report_id"])]
        document, outcome = decide_as_then(
            OLD, case_of(report, row["language"], at, row["history_facts"])
        )
        assert canonical(document) == canonical(row["document"])
        facts = {"certain": outcome.facts.certain, "possible": outcome.facts.possible}
        assert canonical(facts) == canonical(row["facts"])
        assert [rule["id"] for rule in outcome.fired] == row["fired"]
        assert [rule["id"] for rule in outcome.undecided] == row["undecided"]


def test_an_old_document_is_shown_in_the_current_format_with_the_same_meaning() -> None:
    for row in first_engine.recorded()["decisions"]:
        old = row["document"]
        before = copy.deepcopy(old)
        shown = as_shown(old)
        assert old == before
        assert Decision.model_validate(shown).model_dump(mode="json") == shown
        assert (shown["headline"], shown["notices"]) == (old["title"], [])
        assert shown["safety_net"] == [{"title": None, "signs": [old["safety_net"]]}]
        assert (shown["ignored"], shown["ignored_total"]) == ([], 0)
        assert shown["rule_set_version"] == old["rule_set"]["version"]
        assert shown["rule_set_hash"] == old["rule_set"]["hash"]
        same = set(old) - {"title", "safety_net", "rule_set"}
        assert {name: shown[name] for name in same} == {name: old[name] for name in same}
        assert as_shown(shown) == shown


def test_the_engine_in_force_is_another_one(rule_set: RuleSet) -> None:
    assert (OLD.engine, rule_set.engine) == ("footing-triage/1", "footing-triage/2")


def test_a_future_engine_is_unknown() -> None:
    document = {**OLD.document, "engine": "footing-triage/3"}
    with pytest.raises(UnknownEngine, match="footing-triage/3"):
        compile_rule_set(document)


def test_a_server_does_not_decide_with_an_old_rule_set_and_says_what_to_run(
    templates: Path, tmp_path: Path
) -> None:
    async def put_back(url: str) -> None:
        database = Database(Settings(database_url=url))
        old: dict[str, Any] = {"identity": first_engine.RULE_SET_BYTES}
        async with database.write() as db:
            of_then = update(ContentBody).where(
                col(ContentBody.path).startswith("triage/rule-sets/")
            )
            await db.execute(of_then.values(old))
        await database.close()

    with databases.fresh_database("sqlite", templates, tmp_path) as url:
        asyncio.run(put_back(url))
        app = create_app(Settings(database_url=url))
        with pytest.raises(NotReady, match=r"footing-triage/1.*Run: footing seed"), TestClient(app):
            pass


def test_the_recorded_rule_set_has_its_hash() -> None:
    document = json.loads(first_engine.RULE_SET_BYTES)
    assert sha256(canonical({k: v for k, v in document.items() if k != "hash"})) == document["hash"]
