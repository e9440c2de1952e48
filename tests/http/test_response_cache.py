"""Cached responses: sent again to those who ask for the same, until the content changes."""

import dataclasses
import json
import re
import time
from collections.abc import Iterator

import pytest
import structlog
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from api.content.release import ServedRelease
from api.core.logging import AccessLog
from api.http import response_cache
from api.http.context import AppContext
from api.http.response_cache import KEYED, ReleaseRoute
from tests.conftest import AppMaker
from tests.support.document import RECORDED

ROUTINE = "/v1/routines/daily-15-minutes"
ORIGIN = "https://app.example"


@pytest.fixture
def context(content_client: TestClient) -> Iterator[AppContext]:
    context: AppContext = content_client.app.state.context  # type: ignore[attr-defined]
    context.response_cache.current().clear()
    yield context
    context.response_cache.current().clear()


def cached(context: AppContext) -> int:
    return len(context.response_cache.current())


@pytest.mark.parametrize("path", [ROUTINE, "/v1/content", "/v1/tips?limit=2", "/v1/warnings"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Accept-Language": "es"}, {"Accept-Encoding": "br"}, {"If-None-Match": "*"}],
    ids=str,
)
def test_a_cached_response_is_the_one_that_the_handler_gave(
    content_client: TestClient, context: AppContext, path: str, headers: dict[str, str]
) -> None:
    first = content_client.get(path, headers=headers)
    assert cached(context) == 1
    again = content_client.get(path, headers=headers)
    head = content_client.head(path, headers=headers)
    assert cached(context) == 1
    assert first.status_code == again.status_code == head.status_code
    assert first.content == again.content
    assert head.content == b""
    ids = {response.headers.pop("X-Request-ID") for response in (first, again, head)}
    assert len(ids) == 3
    assert first.headers == again.headers == head.headers


def test_other_languages_codings_and_versions_are_other_responses(
    content_client: TestClient, context: AppContext
) -> None:
    asked: list[dict[str, str]] = [
        {"Accept-Encoding": "identity"},
        {"Accept-Encoding": "identity", "Accept-Language": "es"},
        {"Accept-Encoding": "br"},
        {"Accept-Encoding": "br", "If-None-Match": "*"},
    ]
    for _ in range(2):
        seen = [content_client.get("/v1/content", headers=headers) for headers in asked]
        languages = [response.headers["Content-Language"] for response in seen]
        assert languages == ["en", "es", "en", "en"]
        encodings = [response.headers.get("Content-Encoding") for response in seen]
        assert encodings == [None, None, "br", None]
        assert [response.status_code for response in seen] == [200, 200, 200, 304]
    assert cached(context) == len(asked)


def test_a_given_request_id_is_echoed_from_the_cache_too(content_client: TestClient) -> None:
    for _ in range(2):
        headers = {"X-Request-ID": "my-own-request"}
        assert content_client.get(ROUTINE, headers=headers).headers["X-Request-ID"] == (
            "my-own-request"
        )


@pytest.mark.parametrize(
    "path", ["/v1/routines/none", f"{ROUTINE}?x=1", "/v1/tips?limit=0", "/healthz", "/v1/nowhere"]
)
def test_problems_and_other_endpoints_are_not_cached(
    content_client: TestClient, context: AppContext, path: str
) -> None:
    assert content_client.get(path).status_code == content_client.get(path).status_code
    assert cached(context) == 0


def test_another_release_starts_without_cached_responses(
    content_client: TestClient, context: AppContext
) -> None:
    served = context.part(ServedRelease)
    before = served.now
    path = f"{ROUTINE}?lang=es"
    old = content_client.get(path)
    bodies = dict(before.bodies)
    name = ("routines/daily-15-minutes", "es")
    bodies[name] = dataclasses.replace(bodies[name], tag="another")
    try:
        served.release = dataclasses.replace(before, bodies=bodies, assembled={})
        assert cached(context) == 0
        new = content_client.get(path)
        assert new.headers["ETag"] != old.headers["ETag"]
    finally:
        served.release = before


def test_the_cache_is_bounded(
    content_client: TestClient, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MAX_CACHED", 3)
    for number in range(10):
        content_client.get(ROUTINE, headers={"If-None-Match": f'"{number}"'})
    assert cached(context) == 3
    context.response_cache.current().clear()
    long = {"If-None-Match": '"' + "x" * response_cache.LONGEST_KEY + '"'}
    assert content_client.get(ROUTINE, headers=long).status_code == 200
    assert cached(context) == 0


def test_origins_have_responses_of_their_own(database_url: str, make_client: AppMaker) -> None:
    client = make_client(database_url=database_url, cors_origins=(ORIGIN,))
    for _ in range(2):
        for origin, admitted in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
            response = client.get(ROUTINE, headers={"Origin": origin})
            assert response.headers.get("Access-Control-Allow-Origin") == admitted


def test_a_deprecation_is_announced_from_the_cache_too(
    database_url: str, make_client: AppMaker
) -> None:
    deprecated = {
        "method": "GET",
        "path": "/v1/routines/{item_id}",
        "deprecated_at": "2026-01-01T00:00:00Z",
    }
    client = make_client(database_url=database_url, deprecations=(deprecated,))
    for _ in range(2):
        assert client.get(ROUTINE).headers["Deprecation"] == "@1767225600"
        assert "Deprecation" not in client.get("/v1/tips").headers


def test_nothing_else_in_a_request_changes_a_cached_response(content_client: TestClient) -> None:
    """What a response varies by, and what its operation reads in headers, is in the key."""
    routes = [
        each.original_route.path_format
        for each in iter_route_contexts(content_client.app.routes)  # type: ignore[attr-defined]
        if isinstance(each.original_route, ReleaseRoute)
    ]
    assert len(routes) > 10
    keyed = {name.decode() for name in KEYED}
    for path in routes:
        parameters = RECORDED["paths"][path]["get"]["parameters"]
        read = {each["name"].lower() for each in parameters if each.get("in") == "header"}
        assert read <= keyed, path
    for path in (ROUTINE, "/v1/content", "/v1/tips"):
        response = content_client.get(path)
        assert set(response.headers["Vary"].lower().split(", ")) <= keyed


def test_an_access_line_is_written_as_its_event_would_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = AccessLog()
    lines.set_up(enabled=True, direct=True)
    for route in ("/v1/routines/{item_id}", None):
        lines.line("GET", route, 200, 0.01234, "0123456789abcdef")
        (written,) = capsys.readouterr().err.splitlines()
        event = json.loads(written)
        moment = event.pop("timestamp")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", {})["timestamp"]
        assert moment[:16] <= stamp[:16]
        assert event == {
            "event": "request",
            "method": "GET",
            "route": route,
            "status": 200,
            "milliseconds": 12.3,
            "request_id": "0123456789abcdef",
            "level": "info",
        }
    lines.set_up(enabled=False, direct=True)
    lines.line("GET", None, 404, time.monotonic(), "0123456789abcdef")
    assert capsys.readouterr().err == ""


def test_a_line_that_cannot_be_written_fails_no_response(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    lines = AccessLog()
    lines.set_up(enabled=True, direct=True)
    monkeypatch.setattr("sys.stderr", Full())
    lines.line("GET", None, 200, 0.1, "0123456789abcdef")
