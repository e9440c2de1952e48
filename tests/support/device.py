"""A device: enrols, keeps its token, and uploads records."""

import datetime
import uuid
from typing import Any

import httpx

CONSENT_VERSION = "2026-11-22"
Json = dict[str, Any]


class Device:
    """Talks to the API as an app does: over HTTP alone, with its own token."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.token = ""
        self.participant_id = ""
        self.now = datetime.datetime(2026, 11, 22, 10, 0, tzinfo=datetime.UTC)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def enrol(self, **changes: Any) -> Json:
        body: Json = {
            "time_zone": "Europe/Madrid",
            "language": "en",
            "consent": {"version": CONSENT_VERSION, "storage": True, "research": False},
        } | changes
        response = self.client.post("/v1/participants", json=body)
        assert response.status_code == 201, response.text
        enrolled: Json = response.json()
        self.token = enrolled["device_token"]
        self.participant_id = enrolled["participant_id"]
        return enrolled

    def session(self, **changes: Any) -> Json:
        """Make a session as the app would send it."""
        return {
            "id": str(uuid.uuid4()),
            "routine_id": "daily-15-minutes",
            "started_at": self.now.isoformat(),
            "ended_at": (self.now + datetime.timedelta(minutes=15)).isoformat(),
            "local_date": self.now.date().isoformat(),
            "time_zone": "Europe/Madrid",
            "status": "completed",
            "items": [
                {"activity_id": "toe-curls", "kind": "exercise", "side": "left", "seconds": 150},
                {"activity_id": "toe-curls", "kind": "exercise", "side": "right", "seconds": 150},
            ],
            "pain_before": 5,
            "pain_after": 4,
        } | changes

    def report(self, answers: Json | None = None, **changes: Any) -> Json:
        """Make a symptom report as the app would send it."""
        return {
            "id": str(uuid.uuid4()),
            "reported_at": self.now.isoformat(),
            "local_date": self.now.date().isoformat(),
            "time_zone": "Europe/Madrid",
            "answers": answers or {},
        } | changes

    def schedule(self, **changes: Any) -> Json:
        """Make a schedule as the app would send it."""
        return {
            "routine_id": "daily-15-minutes",
            "weekdays": ["mon", "wed", "fri"],
            "times": ["08:00", "19:30"],
            "time_zone": "Europe/Madrid",
            "starts_on": "2026-11-22",
            "ends_on": None,
            "paused": False,
        } | changes

    def post_session(self, body: Json) -> httpx.Response:
        return self.client.post("/v1/sessions", json=body, headers=self.headers)

    def post_report(self, body: Json, **headers: str) -> httpx.Response:
        return self.client.post(
            "/v1/symptom-reports", json=body, headers={**self.headers, **headers}
        )

    def decision_on(self, report: Json) -> Json:
        """Get the decision that counts now for a report."""
        decision: Json = self.get(f"/v1/symptom-reports/{report['id']}").json()["decision"]
        return decision

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params, headers=self.headers)

    def put(self, path: str, body: Json, **headers: str) -> httpx.Response:
        return self.client.put(path, json=body, headers={**self.headers, **headers})

    def patch(self, path: str, body: Json) -> httpx.Response:
        return self.client.patch(path, json=body, headers=self.headers)

    def post(self, path: str) -> httpx.Response:
        return self.client.post(path, headers=self.headers)

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self.client.delete(path, headers={**self.headers, **headers})
