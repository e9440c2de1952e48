"""A device that queues records while offline, and keeps a copy of what is stored."""

from collections.abc import Sequence
from typing import Any

import httpx

from tests.support.device import Device, Json

# A kind of record: its list in a batch, its place in a change, and where it is posted alone.
LISTS = {"session": "sessions", "symptom_report": "symptom_reports", "clearance": "clearances"}
PATHS = {
    "session": "/v1/sessions",
    "symptom_report": "/v1/symptom-reports",
    "clearance": "/v1/me/clearances",
}
DELETABLE = ("session", "symptom_report")
RecordKey = tuple[str, str]
QueuedRecord = tuple[str, Json]


def key_of(entry: QueuedRecord) -> RecordKey:
    kind, body = entry
    return kind, body["id"]


def batch_of(entries: Sequence[QueuedRecord]) -> Json:
    """Put records into a batch, each kind in the order given."""
    return {
        name: [body for kind, body in entries if kind == wanted] for wanted, name in LISTS.items()
    }


class OfflineDevice(Device):
    """Works as docs/app-teams.md asks: nothing leaves the queue without a receipt."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(client)
        self.queue: list[QueuedRecord] = []
        self.held: dict[RecordKey, Json] = {}
        self.cursor: str | None = None
        self.last_number = 0

    def link(self, recovery_code: str) -> Json:
        """Link as another device with the recovery code."""
        response = self.client.post("/v1/devices", json={"recovery_code": recovery_code})
        assert response.status_code == 201, response.text
        linked: Json = response.json()
        self.token, self.participant_id = linked["device_token"], linked["participant_id"]
        return linked

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.client.request(method, path, json=body, headers={**self.headers, **headers})

    def post_batch(self, entries: Sequence[QueuedRecord], **headers: str) -> list[Json]:
        """Post records together; return their receipts."""
        response = self.call("POST", "/v1/batches", batch_of(entries), **headers)
        assert response.status_code == 200, response.text
        receipts: list[Json] = response.json()["receipts"]
        assert len(receipts) == len(entries)
        return receipts

    def upload(self, entries: Sequence[QueuedRecord] | None = None) -> list[Json]:
        """Post the queue, or some of it, and take off what the receipts say is settled."""
        receipts = self.post_batch(self.queue if entries is None else entries)
        settled = {
            (receipt["kind"], receipt["id"])
            for receipt in receipts
            if receipt["action"] in {"none", "drop"}
        }
        self.queue = [entry for entry in self.queue if key_of(entry) not in settled]
        return receipts

    def read_page(self, limit: int = 50) -> Json:
        """Read a page of changes without applying it, as if the response were lost."""
        query: Json = {"limit": limit} | ({"cursor": self.cursor} if self.cursor else {})
        response = self.get("/v1/changes", **query)
        assert response.status_code == 200, response.text
        page: Json = response.json()
        return page

    def fetch(self, limit: int = 50) -> bool:
        """Apply one page of changes; return whether there are more."""
        page = self.read_page(limit)
        for change in page["items"]:
            self.last_number += 1
            assert change["number"] == self.last_number
            if change["kind"] not in LISTS:
                continue  # a schedule or a profile: there is one of each, which is fetched again
            key = (change["kind"], change["id"])
            if change["deleted"]:
                self.held.pop(key, None)
            else:
                self.held[key] = change[change["kind"]]
        self.cursor = page["next_cursor"]
        more: bool = page["has_more"]
        return more

    def fetch_all(self) -> None:
        while self.fetch(200):
            pass

    def reconcile(self) -> dict[RecordKey, str]:
        """Reconcile the records held and the queued ones."""
        items = [
            {"kind": kind, "id": record_id, "content_hash": record["content_hash"]}
            for (kind, record_id), record in self.held.items()
        ] + [{"kind": kind, "id": body["id"]} for kind, body in self.queue]
        response = self.call("POST", "/v1/reconcile", {"items": items})
        assert response.status_code == 200, response.text
        return {(item["kind"], item["id"]): item["status"] for item in response.json()["items"]}
