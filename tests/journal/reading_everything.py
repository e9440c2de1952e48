"""Reads all that is stored of a participant, through every operation there is."""

from collections.abc import Iterator
from typing import Any

from tests.support.device import Device
from tests.support.document import Document, Json

FHIR = "application/fhir+json"
PLAN = {"minutes": 15, "equipment": ["chair", "towel"], "positions": ["seated"]}
# Read of one record each: more of them say nothing new.
SINGLY = 5


class Everything:
    """A device that reads all it can, and holds each answer to the document."""

    def __init__(self, device: Device, document: Document) -> None:
        self.device, self.document = device, document

    def get(self, path: str, template: str | None = None, **params: Any) -> Json:
        response = self.device.get(path, **params)
        answer: Json = self.document.judge(("GET", template or path), response)
        return answer

    def post(self, path: str, body: Json, template: str | None = None) -> Json:
        response = self.device.client.post(path, json=body, headers=self.device.headers)
        answer: Json = self.document.judge(("POST", template or path), response)
        return answer

    def pages(self, path: str) -> Iterator[Json]:
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=200, **cursor)
            yield from page["items"]
            if page["next_cursor"] is None or page.get("has_more") is False:
                return
            cursor = {"cursor": page["next_cursor"]}

    def read(self) -> dict[str, list[Json]]:
        """Read it all; return the records by kind, newest first."""
        for path in ("/v1/me", "/v1/me/consent", "/v1/me/schedule", "/v1/me/privacy-ledger"):
            self.get(path)
        for path in ("/v1/me/progress", "/v1/devices"):
            self.get(path)
        sessions = list(self.pages("/v1/sessions"))
        reports = list(self.pages("/v1/symptom-reports"))
        for session in sessions[:SINGLY]:
            path = f"/v1/sessions/{session['id']}"
            assert self.get(path, "/v1/sessions/{session_id}") == session
        for report in reports[:SINGLY]:
            path = f"/v1/symptom-reports/{report['id']}"
            assert self.get(path, "/v1/symptom-reports/{report_id}") == report
            decision = f"/v1/decisions/{report['decision']['id']}"
            self.get(decision, "/v1/decisions/{decision_id}")
            replayed = self.post(f"{decision}/replay", {}, "/v1/decisions/{decision_id}/replay")
            assert replayed["identical"], replayed
        changes = list(self.pages("/v1/changes"))
        self._agree(sessions, reports, changes)
        self.post("/v1/plans", PLAN)
        self.get("/v1/me/export")
        bundle = self.device.client.get(
            "/v1/me/export", headers=self.device.headers | {"Accept": FHIR}
        )
        self.document.judge(("GET", "/v1/me/export"), bundle)
        return {"sessions": sessions, "symptom_reports": reports}

    def _agree(self, sessions: list[Json], reports: list[Json], changes: list[Json]) -> None:
        """Assert that lists, the change feed and reconciling list the same records."""
        fed = {change["id"]: change["session"] for change in changes if change["session"]}
        assert fed == {session["id"]: session for session in sessions}
        kinds = (("session", sessions), ("symptom_report", reports))
        believed = [
            {"kind": kind, "id": record["id"], "content_hash": record["content_hash"]}
            for kind, records in kinds
            for record in records
        ]
        found = self.post("/v1/reconcile", {"items": believed[:5000]})
        assert {item["status"] for item in found["items"]} <= {"present"}
