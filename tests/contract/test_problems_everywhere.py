"""Any invalid request, on any operation, gets a documented problem and nothing else."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from api.core.config import Settings
from api.main import create_app
from api.triage.router import EVALUATIONS
from tests.support import databases
from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.device import Device, Json
from tests.support.document import RECORDED

METHODS = ("get", "post", "put", "patch", "delete")
FIELDS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "errors",
    "decision",
}
PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Operation:
    """One operation as the OpenAPI document describes it."""

    method: str
    path: str
    document: Json
    shared: Json

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def has_body(self) -> bool:
        return "requestBody" in self.document

    @property
    def for_clinicians(self) -> bool:
        return {"clinicianToken": []} in self.document.get("security", ())

    @property
    def blank(self) -> Json | None:
        """An empty body, where it takes one."""
        return {} if self.has_body else None

    @property
    def needs_token(self) -> bool:
        security: list[Json] = self.document.get("security", [])
        return bool(security) and {} not in security

    @property
    def required(self) -> list[str]:
        """Name the parameters of its query that it does not answer without."""
        found = self.document.get("parameters", ())
        return [one["name"] for one in found if one.get("in") == "query" and one["required"]]

    def parameters(self, place: str) -> dict[str, Json]:
        """Return the schemas of its parameters in the path or in the query, by name."""
        found = [
            self.shared[entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
            for entry in self.document.get("parameters", ())
        ]
        return {entry["name"]: entry["schema"] for entry in found if entry["in"] == place}

    def url(self, value: str | None = None) -> str:
        """Fill the path with ids of the right shape that nothing has, or with a given value."""
        schemas = self.parameters("path")

        def fill(match: re.Match[str]) -> str:
            return value or well_shaped(schemas[match[1]])

        return PARAMETER.sub(fill, self.path)


def well_shaped(schema: Json) -> str:
    if schema.get("format") == "uuid":
        return str(uuid.uuid4())
    pattern = str(schema.get("pattern", ""))
    if pattern.endswith("{64}$"):
        return "0" * 64
    return "nothing.svg" if "svg" in pattern else "nothing"


class Caller(Device):
    """A device that has enrolled, and has a clinician's key for endpoints that need one."""

    def __init__(self, client: httpx.Client, key: str) -> None:
        super().__init__(client)
        self.key = key

    def headers_for(self, operation: Operation) -> dict[str, str]:
        """Return what opens an operation."""
        return {"Authorization": f"Bearer {self.key}"} if operation.for_clinicians else self.headers


@pytest.fixture(scope="module")
def device(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Every request here is rejected, so that one client is enough for all."""
    folder = tmp_path_factory.mktemp("problems")
    with databases.fresh_database("sqlite", templates, folder) as url:
        settings = Settings(
            database_url=url, rate_limit_enrolment="1000/minute", rate_limit_public="5000/minute"
        )
        with TestClient(create_app(settings, FakeClock()), raise_server_exceptions=False) as client:
            device = Caller(client, give_key(url, FakeClock()))
            device.enrol()
            yield device


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    paths, shared = RECORDED["paths"], RECORDED["components"].get("parameters", {})
    found = [
        Operation(method, path, paths[path][method], shared)
        for path in paths
        for method in METHODS
        if method in paths[path]
    ]
    assert len(found) > 25
    return found


def assert_problem(response: httpx.Response, operation: Operation, *statuses: int) -> Json:
    place = f"{operation.name}: {response.status_code} {response.text[:300]}"
    assert response.status_code in statuses, place
    assert response.headers["Content-Type"] == "application/problem+json", place
    assert str(response.status_code) in operation.document["responses"], place
    problem: Json = response.json()
    assert set(problem) == FIELDS, place
    assert problem["status"] == response.status_code, place
    assert problem["request_id"] == response.headers["X-Request-ID"], place
    return problem


def test_without_a_token_a_protected_operation_returns_401(
    device: Caller, operations: list[Operation]
) -> None:
    closed = [operation for operation in operations if operation.needs_token]
    assert len(closed) > 5
    for operation in closed:
        response = device.client.request(operation.method, operation.url(), json=operation.blank)
        assert_problem(response, operation, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer"), operation.name


def test_with_a_clinicians_key_a_participants_operation_returns_403(
    device: Caller, operations: list[Operation]
) -> None:
    for operation in operations:
        schemes = {name for entry in operation.document.get("security", ()) for name in entry}
        if "deviceToken" not in schemes:
            continue
        headers = {"Authorization": f"Bearer fc_{'0' * 64}"}
        response = device.client.request(
            operation.method,
            operation.url(),
            headers=headers,
            json=operation.blank,
        )
        assert_problem(response, operation, 403)


def test_with_a_participants_token_a_clinicians_operation_returns_403(
    device: Caller, operations: list[Operation]
) -> None:
    closed = [operation for operation in operations if operation.for_clinicians]
    assert closed
    for operation in closed:
        response = device.client.request(operation.method, operation.url(), headers=device.headers)
        problem = assert_problem(response, operation, 403)
        assert problem["code"] == "wrong_token_kind"


def test_an_unknown_id_returns_404(device: Caller, operations: list[Operation]) -> None:
    named = [operation for operation in operations if operation.parameters("path")]
    assert len(named) > 5
    for operation in named:
        if operation.has_body:
            continue
        headers = device.headers_for(operation)
        response = device.client.request(operation.method, operation.url(), headers=headers)
        assert_problem(response, operation, 404)


def test_a_malformed_id_returns_404_or_422(device: Caller, operations: list[Operation]) -> None:
    for operation in operations:
        if not operation.parameters("path"):
            continue
        for value in ("x" * 300, "%00", "%F0%9F%A6%B6", "a%20b", "1"):
            response = device.client.request(
                operation.method, operation.url(value), headers=device.headers_for(operation)
            )
            problem = assert_problem(response, operation, 404, 422)
            if response.status_code == 422:
                assert problem["errors"][0]["pointer"].startswith("/path/"), operation.name


def test_a_body_that_is_not_as_described_returns_413_415_or_422(
    device: Caller, operations: list[Operation]
) -> None:
    taking = [operation for operation in operations if operation.has_body]
    assert len(taking) > 4
    for operation in taking:

        def send(content: bytes, media_type: str, to: Operation = operation) -> httpx.Response:
            return device.client.request(
                to.method,
                to.url(),
                content=content,
                headers={**device.headers, "Content-Type": media_type},
            )

        assert_problem(send(b"{}", "text/plain"), operation, 415)
        assert_problem(send(b" " * 20_000_000, "application/json"), operation, 413)
        problem = assert_problem(send(b'{"a": ', "application/json"), operation, 422)
        assert problem["code"] == "malformed_json", operation.name
        for content in (b"[]", b"null", b'"text"', b"1"):
            assert_problem(send(content, "application/json"), operation, 422)
        if operation.path == EVALUATIONS:
            # Any object is answered there.
            assert send(b'{"no_such": 1}', "application/json").json()["ignored_total"] == 1
            continue
        problem = assert_problem(send(b'{"no_such": 1}', "application/json"), operation, 422)
        assert ("/no_such", "unknown_field") in {
            (fault["pointer"], fault["code"]) for fault in problem["errors"]
        }, operation.name


BAD_QUERY = {
    "limit": ["0", "1000000", "many"],
    "cursor": ["x" * 1000, "nonsense"],
    "lang": ["fr", "?", "x" * 100],
    "equipment": ["hammer"],
    "position": ["flying"],
    "target": ["ear"],
    "table": ["shoe_size", "?", ""],
    "key": ["somebody", "x" * 100],
    "stat": ["median", "?"],
    "period_kind": ["month", "?"],
    "starts_on": ["2026-11-31", "1999-01-04", "soon"],
    "from": ["2026-11-31", "2999-01-04"],
    "to": ["2026-11-31", "1999-01-04"],
}
# What an endpoint requires.
NEEDED = {"table": "routine", "key": "personalised", "stat": "people"}


def needed(operation: Operation) -> dict[str, str]:
    return {name: NEEDED[name] for name in operation.required}


def test_a_query_that_is_not_as_described_returns_422(
    device: Caller, operations: list[Operation]
) -> None:
    tried = set()
    for operation in operations:
        if operation.has_body or operation.parameters("path").keys() - NEEDED.keys():
            continue
        for name in operation.parameters("query"):
            for value in BAD_QUERY.get(name, ()):
                response = device.client.request(
                    operation.method,
                    operation.path.format(**NEEDED),
                    params=needed(operation) | {name: value},
                    headers=device.headers_for(operation),
                )
                problem = assert_problem(response, operation, 422)
                assert problem["errors"][0]["pointer"] == f"/query/{name}", operation.name
                tried.add(name)
    assert tried == set(BAD_QUERY)


def test_a_wrong_method_returns_405_with_the_allowed_ones(
    device: Caller, operations: list[Operation]
) -> None:
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    for path, known in by_path.items():
        allowed = {operation.method.upper() for operation in known}
        if "GET" in allowed:
            allowed.add("HEAD")
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - allowed:
            response = device.client.request(method, known[0].url(), headers=device.headers)
            assert response.status_code == 405, f"{method} {path}"
            assert response.headers["Content-Type"] == "application/problem+json"
            assert set(response.headers["Allow"].split(", ")) == allowed, f"{method} {path}"
            assert response.json()["code"] == "method_not_allowed"
