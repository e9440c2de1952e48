"""What the first engine decided stays as it was stored, and is shown in the form of today."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from api.content.release import ServedRelease
from api.core.canonical import canonical
from api.core.config import Settings
from api.core.db import Database
from api.http.context import AppContext
from api.journal.withdrawal import redo_decisions
from api.triage.schemas import Decision
from api.triage.service import RuleSets
from tests.support import first_engine
from tests.support.clock import FakeClock
from tests.support.device import Device, Json
from tests.triage.reports import rank

RECORDED = first_engine.recorded()
DECIDED = {row["id"]: row for row in RECORDED["decisions"]}
REPORTS = {row["id"]: row for row in RECORDED["symptom_reports"]}


@pytest.fixture
def old_device(device: Device, database_url: str, clock: FakeClock) -> Iterator[Device]:
    """A device whose reports were filed with the server of then."""

    async def put() -> None:
        database = Database(Settings(database_url=database_url))
        async with database.write() as db:
            await first_engine.store(db, uuid.UUID(device.participant_id), clock.now())
        await database.close()

    asyncio.run(put())
    yield device
    # Whatever was asked for: nothing that was stored has changed.
    assert (
        documents(database_url)
        >= {name: canonical(row["document"]) for name, row in DECIDED.items()}.items()
    )


def documents(database_url: str) -> Any:
    async def read() -> dict[str, Json]:
        database = Database(Settings(database_url=database_url))
        async with database.read() as db:
            found = await first_engine.stored_documents(db)
        await database.close()
        return found

    return {name: canonical(document) for name, document in asyncio.run(read()).items()}.items()


def assert_shown(decision: Json, stored: Json) -> None:
    """See that a decision has the form of today and says what is stored."""
    old = stored["document"]
    assert Decision.model_validate(decision).model_dump(mode="json") == decision
    assert decision["headline"] == old["title"]
    assert decision["safety_net"] == [{"title": None, "signs": [old["safety_net"]]}]
    assert decision["notices"] == []
    assert (decision["level"], decision["message"]) == (old["level"], old["message"])
    assert decision["rule_set_hash"] == old["rule_set"]["hash"]
    assert (decision["ignored"], decision["ignored_total"]) == ([], 0)


def current(report: Json) -> Json:
    return DECIDED[REPORTS[report["id"]]["decision_id"]]


def test_reports_decisions_and_changes_show_it_in_the_current_format(old_device: Device) -> None:
    listed = old_device.get("/v1/symptom-reports").json()["items"]
    changed = [
        item["symptom_report"]
        for item in old_device.get("/v1/changes").json()["items"]
        if item["kind"] == "symptom_report"
    ]
    single = [old_device.get(f"/v1/symptom-reports/{name}").json() for name in REPORTS]
    for found in (listed, changed, single):
        assert {report["id"] for report in found} == set(REPORTS)
        for report in found:
            assert_shown(report["decision"], current(report))
    for name, stored in DECIDED.items():
        details = old_device.get(f"/v1/decisions/{name}").json()
        assert details["engine"] == "footing-triage/1"
        assert_shown(details["decision"], stored)
    newest = max(REPORTS.values(), key=lambda report: report["reported_at"])
    last = old_device.get("/v1/me/progress").json()["last_decision"]
    assert last["headline"] == current(newest)["document"]["title"]


def test_a_retry_returns_the_old_decision_in_the_current_format(old_device: Device) -> None:
    sent = [first_engine.report_as_sent(report) for report in REPORTS.values()]
    for body in sent:
        response = old_device.post_report(body)
        assert response.status_code == 200
        assert_shown(response.json()["decision"], current(body))
    batch = {"symptom_reports": sent}
    receipts = old_device.client.post("/v1/batches", json=batch, headers=old_device.headers).json()
    for body, receipt in zip(sent, receipts["receipts"], strict=True):
        said = current(body)["document"]
        assert receipt["status"] == "duplicate"
        assert (receipt["decision_level"], receipt["decision_headline"]) == (
            said["level"],
            said["title"],
        )


def test_exports_show_it_in_the_current_format(old_device: Device) -> None:
    exported = old_device.get("/v1/me/export").json()["decisions"]
    assert {entry["id"] for entry in exported} == set(DECIDED)
    for entry in exported:
        assert entry["engine"] == "footing-triage/1"
        assert_shown(entry["document"], DECIDED[entry["id"]])
    headers = {**old_device.headers, "Accept": "application/fhir+json"}
    bundle = old_device.client.get("/v1/me/export", headers=headers).json()
    found = {
        resource["identifier"][0]["value"].removeprefix("urn:uuid:"): resource
        for resource in (entry["resource"] for entry in bundle["entry"])
        if resource["resourceType"] == "Observation"
        and resource["code"]["coding"][0]["code"] == "triage-decision"
    }
    assert set(found) == set(DECIDED)
    for name, resource in found.items():
        old = DECIDED[name]["document"]
        assert resource["valueCodeableConcept"]["text"] == old["title"]
        assert resource["method"]["text"] == "footing-triage/1"
        assert resource["method"]["coding"][0]["code"] == old["rule_set"]["hash"]
        assert old["safety_net"] in [note["text"] for note in resource["note"]]


def test_it_is_replayed_by_the_old_engine_byte_for_byte(old_device: Device) -> None:
    for name in DECIDED:
        replayed = old_device.post(f"/v1/decisions/{name}/replay").json()
        assert replayed == {
            "identical": True,
            "differences": [],
            "rule_set_hash": DECIDED[name]["rule_set_hash"],
            "engine": "footing-triage/1",
        }


def test_a_devices_decision_is_compared_using_the_old_engine(
    old_device: Device,
) -> None:
    for level, agrees in (("emergency", True), ("self_care", False)):
        shown = {"level": level, "rule_set_hash": first_engine.rule_set().hash}
        body = old_device.report({"saddle_numbness": "yes"}, device_decision=shown)
        stored = old_device.post_report(body).json()
        assert stored["device_agrees"] is agrees
        assert stored["decision"]["rule_set_hash"] != shown["rule_set_hash"]


def test_decided_again_it_rests_on_the_rule_set_in_force_and_the_old_one_stays(
    old_device: Device, database_url: str, clock: FakeClock
) -> None:
    context: AppContext = old_device.client.app.state.context  # type: ignore[attr-defined]
    rule_sets, release = context.part(RuleSets), context.part(ServedRelease).now

    async def redo() -> int:
        database = Database(Settings(database_url=database_url))
        old, in_force = first_engine.rule_set().hash, rule_sets.of(release)
        redone = redo_decisions(database, old, in_force, clock.now())
        count = sum([len(made) async for _, made in redone])
        await database.close()
        return count

    assert asyncio.run(redo()) == len(REPORTS)
    for report in old_device.get("/v1/symptom-reports").json()["items"]:
        details = old_device.get(f"/v1/decisions/{report['decision']['id']}").json()
        assert details["engine"] == "footing-triage/2"
        assert details["supersedes"] == REPORTS[report["id"]]["decision_id"]
        # What was asked for then need not be enough for an all-clear today.
        assert rank(details["decision"]["level"]) >= rank(current(report)["level"])
        assert old_device.post(f"/v1/decisions/{details['id']}/replay").json()["identical"] is True
