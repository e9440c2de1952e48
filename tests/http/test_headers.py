"""What every answer carries: an id, headers that protect, and nothing that caches a person."""

import re

import pytest
from starlette.testclient import TestClient

from tests.conftest import AppMaker
from tests.http.example_requests import GOOD, PROBLEMS
from tests.support.device import Device

PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def test_a_well_formed_request_id_is_accepted_and_echoed(content_client: TestClient) -> None:
    for given in ("01939d6e7a5b7c3e8f10", "a.b_c-d-1", "x" * 64):
        response = content_client.get("/v1/exercises", headers={"X-Request-ID": given})
        assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "with space", "a;b;c;d;e;f", "<script>alert", "ümlaut-ümlaut"]
)
def test_any_other_request_id_is_replaced(content_client: TestClient, given: str) -> None:
    response = content_client.get("/v1/exercises", headers={"X-Request-ID": given.encode()})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_a_request_without_an_id_gets_a_new_one(content_client: TestClient) -> None:
    ids = {content_client.get("/healthz").headers["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5


def test_every_response_has_an_id_and_the_security_headers(device: Device) -> None:
    calls = [*GOOD.items(), *PROBLEMS.values()]
    for status, call in calls:
        response = call(device)
        assert response.status_code == status
        assert response.headers["X-Request-ID"], status
        for name, value in PROTECTION.items():
            assert response.headers[name] == value, (status, name)
        assert "max-age=" in response.headers["Strict-Transport-Security"]
        assert "server" not in response.headers


def test_personal_data_is_never_cached(device: Device) -> None:
    answers = [
        device.post_session(device.session()),
        device.post_report(device.report()),
        device.get("/v1/me"),
        device.get("/v1/sessions"),
        device.get("/v1/symptom-reports"),
    ]
    for response in answers:
        assert response.is_success
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers


def test_no_origin_is_admitted_unless_it_was_configured(content_client: TestClient) -> None:
    response = content_client.get("/v1/exercises", headers={"Origin": "https://app.example"})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control-")]
    preflight = content_client.options(
        "/v1/sessions",
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


def test_a_configured_origin_is_admitted_and_no_other(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, cors_origins=("https://app.example",))
    preflight = client.options(
        "/v1/sessions",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    for path, status in (("/v1/exercises", 200), ("/v1/me", 401), ("/v1/nowhere", 404)):
        response = client.get(path, headers={"Origin": "https://app.example"})
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
        exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
        assert exposed >= {"ETag", "RateLimit", "RateLimit-Policy", "Retry-After"}
        assert exposed >= {"Content-Disposition", "Content-Language"}
        assert "access-control-allow-credentials" not in response.headers
        stranger = client.get(path, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


def test_an_empty_response_has_no_content_type(device: Device) -> None:
    body = device.session()
    device.post_session(body)
    device.put("/v1/me/schedule", device.schedule())
    for path in (f"/v1/sessions/{body['id']}", "/v1/me/schedule", "/v1/me/schedule/feed"):
        response = device.delete(path)
        assert (response.status_code, response.content) == (204, b"")
        assert "content-type" not in response.headers
