"""The rule set as devices get it: identified by a hash that anyone can verify."""

import asyncio
import dataclasses
import hashlib

import pytest
import rfc8785
from starlette.testclient import TestClient

from api.content import service
from api.content.release import Release
from api.core.canonical import canonical
from api.core.config import Settings
from api.core.db import Database
from api.http.conditional import make_body
from api.triage.rules import RuleSet
from tests.support.clock import FakeClock


def test_the_hash_is_the_sha256_of_the_canonical_json_without_the_other_members(
    content_client: TestClient,
) -> None:
    document = content_client.get("/v1/triage/rule-set").json()
    beside = {"hash", "review", "signature", "withdrawn"}
    hashed = {key: value for key, value in document.items() if key not in beside}
    assert hashlib.sha256(rfc8785.dumps(hashed)).hexdigest() == document["hash"]
    assert document["review"]["status"] == "engineering_draft"
    assert document["engine"] == "footing-triage/2"


def test_the_etag_starts_with_the_hash_and_gives_304(content_client: TestClient) -> None:
    first = content_client.get("/v1/triage/rule-set", headers={"Accept-Encoding": "gzip"})
    assert first.headers["ETag"].startswith(f'"{first.json()["hash"]}')
    assert first.headers["Cache-Control"] == "public, max-age=60"
    again = content_client.get(
        "/v1/triage/rule-set", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304
    assert again.content == b""


def test_the_rule_set_is_found_by_its_hash_and_never_changes(content_client: TestClient) -> None:
    current = content_client.get("/v1/triage/rule-set").json()
    response = content_client.get(f"/v1/triage/rule-sets/{current['hash']}")
    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]
    stored = response.json()
    # The review comes later, so the permanent document cannot contain it.
    beside = {name: current[name] for name in ("review", "signature", "withdrawn")}
    assert {**stored, **beside} == current
    assert not beside.keys() & stored.keys()


@pytest.mark.parametrize("name", ["0" * 64, "f" * 64])
def test_an_unknown_hash_is_not_found(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/v1/triage/rule-sets/{name}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("name", ["0" * 63, "0" * 65, "G" * 64, "current"])
def test_a_malformed_hash_is_rejected(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/v1/triage/rule-sets/{name}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/path/rule_set_hash"


def test_a_rule_set_of_an_earlier_release_is_still_found(
    client: TestClient, database_url: str
) -> None:
    old = "ab" * 32

    async def store_earlier() -> None:
        database = Database(Settings(database_url=database_url))
        async with database.write() as db:
            active = await service.active_hash(db)
            assert active is not None
            now: Release = await service.load_release(db, active)
            bodies = {(f"triage/rule-sets/{old}", ""): make_body(canonical({"hash": old}))}
            earlier = dataclasses.replace(
                now, hash="cd" * 32, rule_set_hash=old, deleted=[], bodies=bodies
            )
            await service.store(db, earlier, None, FakeClock())
        await database.close()

    asyncio.run(store_earlier())
    response = client.get(f"/v1/triage/rule-sets/{old}")
    assert response.status_code == 200
    assert response.json() == {"hash": old}
    assert "immutable" in response.headers["Cache-Control"]


def test_every_question_has_everything_needed_to_ask_it(content_client: TestClient) -> None:
    document = content_client.get("/v1/triage/rule-set").json()
    languages = set(document["languages"])
    assert languages == {"en", "es"}
    for question in document["questions"]:
        assert set(question["text"]) == languages
        assert bool(question["choices"]) is (question["type"] != "integer")
        for choice in question["choices"]:
            assert set(choice["text"]) == languages


def test_every_question_that_alone_can_make_an_emergency_must_be_asked(
    content_client: TestClient, rule_set: RuleSet
) -> None:
    for name, question in rule_set.questions.items():
        for choice in question["choices"]:
            answers = {"answers": {name: choice["id"]}} if name != "trend" else {}
            decision = content_client.post("/v1/triage/evaluations", json=answers).json()
            if decision["level"] == "emergency" and name != "self_harm_thoughts":
                assert question["must_ask"], name


def test_the_rule_set_is_served_in_every_encoding_and_with_head(content_client: TestClient) -> None:
    plain = content_client.get("/v1/triage/rule-set", headers={"Accept-Encoding": "identity"})
    head = content_client.head("/v1/triage/rule-set", headers={"Accept-Encoding": "identity"})
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["ETag"] == plain.headers["ETag"]
    assert head.headers["Content-Length"] == str(len(plain.content))
