"""Null for an optional field is the same as omitting it, on every endpoint.

Generated clients write every field of a request.
"""

import copy
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from api.core.config import Settings
from api.main import create_app
from tests.contract.examples import SENT
from tests.support import databases
from tests.support.clock import FakeClock
from tests.support.device import Device, Json
from tests.support.document import RECORDED

METHODS = ("post", "put", "patch")
Path_ = tuple[str | int, ...]
# What differs between two answers to the same request.
VOLATILE = {
    *("participant_id", "device_id", "device_token", "recovery_code", "created", "server_time"),
    *("received_at", "evaluated_at", "request_id", "changed_at", "status", "history"),
}
SCHEMAS: Json = RECORDED["components"]["schemas"]
FULL: dict[str, Json] = SENT | {
    "Batch": {
        "device_time": "2026-11-22T13:00:02+01:00",
        "sessions": [SENT["NewSession"] | {"replaces": str(uuid.uuid4())}],
        "symptom_reports": [SENT["NewSymptomReport"]],
        "clearances": [SENT["NewClearance"]],
    },
}


def resolve(schema: Json) -> Json:
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def fields(schema: Json, example: Any, place: Path_ = ()) -> Iterator[tuple[Path_, bool, Json]]:
    """Yield every field of a request: where it is, whether it may be left out, and its schema."""
    schema = resolve(schema)
    for name, field in schema.get("properties", {}).items():
        yield (*place, name), name not in schema.get("required", ()), resolve(field)
        if isinstance(example, dict) and name in example:
            yield from fields(field, example[name], (*place, name))
    if "items" in schema and isinstance(example, list) and example:
        yield from fields(schema["items"], example[0], (*place, 0))


def bodies() -> Iterator[tuple[str, str, str]]:
    for path, item in RECORDED["paths"].items():
        for method in METHODS:
            if "requestBody" in item.get(method, {}):
                content = item[method]["requestBody"]["content"]["application/json"]
                yield method, path, content["schema"]["$ref"].rpartition("/")[2]


def changed(body: Json, place: Path_, *value: Any) -> Json:
    """Set a field, or leave it out."""
    made = copy.deepcopy(body)
    *parents, last = place
    inner: Any = made
    for step in parents:
        inner = inner[step]
    inner.pop(last, None)
    if value:
        inner[last] = value[0]
    return made


def with_new_ids(body: Json) -> Json:
    """Give the records of a body ids that nothing has."""
    made = copy.deepcopy(body)
    records = [made, *(made.get(kind, [None])[0] for kind in ("sessions", "symptom_reports"))]
    for record in (*records, *made.get("clearances", ())):
        if isinstance(record, dict) and "id" in record:
            record["id"] = str(uuid.uuid4())
    return made


def said(node: Any) -> Any:
    """Return what an answer says, without what differs each time."""
    if isinstance(node, dict):
        return {name: said(value) for name, value in node.items() if name not in VOLATILE}
    return [said(value) for value in node] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def device(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A client of an app without rate limits. Null is handled before any database access."""
    plenty: Json = {
        f"rate_limit_{name}": "100000/minute" for name in ("enrolment", "public", "participant")
    }
    folder = tmp_path_factory.mktemp("nulls")
    with databases.fresh_database("sqlite", templates, folder) as url:
        settings = Settings(database_url=url, **plenty)
        with TestClient(create_app(settings, FakeClock()), raise_server_exceptions=False) as client:
            device = Device(client)
            device.enrol()
            yield device


def test_every_body_is_tried() -> None:
    names = {name for _, _, name in bodies()}
    assert names <= FULL.keys()
    every = [field for name in names for field in fields({"$ref": name}, FULL[name])]
    optional = [place for place, may_be_left_out, _ in every if may_be_left_out]
    assert ("sessions", 0, "items", 0, "skipped") in optional
    assert len(optional) > 50


@pytest.mark.parametrize(("method", "path", "name"), list(bodies()))
def test_null_equals_an_omitted_field_and_is_rejected_for_a_required_one(
    device: Device, method: str, path: str, name: str
) -> None:
    def send(body: Json) -> httpx.Response:
        return device.client.request(method, path, json=body, headers=device.headers)

    for place, optional, schema in fields({"$ref": name}, FULL[name]):
        without = with_new_ids(changed(FULL[name], place))
        null = changed(without, place, None)
        if optional:
            assert "null" in schema["type"], place
            first, second = send(without), send(null)
            assert (first.status_code, second.status_code) in {(200, 200), (201, 201), (201, 200)}
            assert said(second.json()) == said(first.json()), place
        elif "null" not in schema["type"]:
            refused = send(null)
            if path == "/v1/batches" and len(place) > 1:
                assert {"rejected"} <= {one["status"] for one in refused.json()["receipts"]}, place
            else:
                assert refused.status_code == 422, place
