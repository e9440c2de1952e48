"""Every error is a problem document: what, where, and nothing of our insides."""

import gzip
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.core.config import Settings
from api.http.problems import pointer
from api.main import create_app
from tests.conftest import AppMaker
from tests.http.example_requests import PROBLEMS
from tests.support.clock import FakeClock
from tests.support.device import Device

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
SECRET = "the patient's own words"  # noqa: S105  # a text that must not come out


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_all_its_fields(device: Device, name: str) -> None:
    status, call = PROBLEMS[name]
    response = call(device)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    problem = response.json()
    assert set(problem) == FIELDS
    assert problem["status"] == status
    assert problem["code"] == name.partition(",")[0]
    assert problem["type"] == f"urn:footing:problem:{problem['code'].replace('_', '-')}"
    assert problem["instance"] == response.request.url.path
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["title"]
    assert problem["detail"]
    if name.startswith("invalid_request"):
        assert problem["errors"]
    for fault in problem["errors"]:
        assert set(fault) == {"pointer", "code", "message"}
        assert fault["pointer"] == "" or fault["pointer"].startswith("/")


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/v1/exercises", "POST", "GET, HEAD"),
        ("/v1/exercises/toe-curls", "DELETE", "GET, HEAD"),
        ("/v1/participants", "GET", "POST"),
        ("/v1/participants", "HEAD", "POST"),
        ("/v1/sessions", "PUT", "GET, HEAD, POST"),
        ("/v1/triage/evaluations", "GET", "POST"),
        ("/healthz", "POST", "GET, HEAD"),
        ("/docs", "POST", "GET, HEAD"),
        ("/v1/openapi.json", "POST", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_refused_with_the_right_ones(
    content_client: TestClient, path: str, method: str, allow: str
) -> None:
    response = content_client.request(method, path)
    assert response.status_code == 405
    assert response.headers["Allow"] == allow


def test_an_unknown_path_is_not_found_whatever_the_method(content_client: TestClient) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = content_client.request(method, "/v1/nowhere")
        assert response.status_code == 404, method
        assert response.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "path", ["/v1/exercises/", "/v1//exercises", "/v1/exercises/a/b", "/v2/me"]
)
def test_a_path_that_is_nearly_right_is_not_found_and_not_redirected(
    content_client: TestClient, path: str
) -> None:
    assert content_client.get(path, follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/merge-patch+json", 415),
        ("", 415),
    ],
)
def test_a_body_is_json_or_is_refused(
    content_client: TestClient, media_type: str, status: int
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    response = content_client.post("/v1/triage/evaluations", content=b"{}", headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "identity, gzip", "x-any"])
def test_a_compressed_body_is_refused_with_the_accepted_codings(
    device: Device, encoding: str
) -> None:
    body = gzip.compress(json.dumps(device.session()).encode())
    headers = {**device.headers, "Content-Type": "application/json", "Content-Encoding": encoding}
    refused = device.client.post("/v1/sessions", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")
    assert refused.headers["Accept-Encoding"] == "identity"
    plain = json.dumps(device.session()).encode()
    named = headers | {"Content-Encoding": "identity"}
    assert device.client.post("/v1/sessions", content=plain, headers=named).status_code == 201


def test_a_body_without_a_length_is_measured_as_it_comes(
    database_url: str, make_client: AppMaker
) -> None:
    device = Device(make_client(database_url=database_url, max_body_bytes=1024))
    device.enrol()

    def endless() -> Iterator[bytes]:
        yield b'{"note": "'
        for _ in range(100):
            yield b"x" * 100
        yield b'"}'

    response = device.client.post(
        "/v1/sessions",
        content=endless(),
        headers={**device.headers, "Content-Type": "application/json"},
    )
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"
    assert device.post_session(device.session()).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"nonsense",
        b'{"pain_score": 1,}',
        b"\xff\xfe",
        b'{"answers": {"fever": "yes"}',
        b"[" * 16,
        b'{"weeks": ' + b"9" * 10_000 + b"}",
    ],
)
def test_invalid_json_is_rejected(content_client: TestClient, body: bytes) -> None:
    response = content_client.post(
        "/v1/triage/evaluations", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] in {"malformed_json", "invalid_request"}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_an_invalid_json_number_is_rejected(content_client: TestClient, number: bytes) -> None:
    response = content_client.post(
        "/v1/plans",
        content=b'{"minutes": %s, "equipment": [], "positions": ["seated"]}' % number,
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/minutes"


def test_a_problem_never_repeats_the_value_it_refuses(device: Device) -> None:
    response = device.post_session(
        device.session(note=f"{SECRET} " * 40, status=SECRET, pain_after=SECRET)
    )
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 3
    assert SECRET not in response.text


def test_a_flood_of_faults_is_cut_and_stays_readable(device: Device) -> None:
    response = device.post_session({f"field_{number}": 1 for number in range(500)})
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 50
    assert len(response.content) < 20_000


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], ""),
        (["items", 0, "side"], "/items/0/side"),
        (["answers", "a/b~c"], "/answers/a~1b~0c"),
        ([""], "/"),
    ],
)
def test_a_place_is_written_as_a_json_pointer(parts: list[Any], text: str) -> None:
    assert pointer(parts) == text


@pytest.fixture
def broken(database_url: str, clock: FakeClock) -> Iterator[TestClient]:
    """An app with a handler that fails: every app has one, it is only not known which."""
    app: FastAPI = create_app(Settings(database_url=database_url), clock)

    @app.get("/v1/broken")
    async def fail() -> None:
        raise LookupError(SECRET)

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_an_exception_in_a_handler_is_a_problem_without_details(
    broken: TestClient, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = broken.get("/v1/broken")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == FIELDS
    assert problem["code"] == "internal_error"
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    for text in ("LookupError", "Traceback", ".py", SECRET):
        assert text not in response.text
    # The log has the place and the request's id, and not the message: it may hold a person's data.
    logged = capsys.readouterr().out + caplog.text
    assert "LookupError" in logged
    assert problem["request_id"] in logged
    assert "test_problems.py" in logged
    assert SECRET not in logged
