"""`/docs` works in a hospital network: everything it needs comes from this server."""

import re

import pytest
from starlette.testclient import TestClient

OUTSIDE = re.compile(r"(?:https?:)?//[a-z0-9]", re.IGNORECASE)
REFERENCE = re.compile(r'(?:src|href)="([^"]+)"')


def test_the_page_names_no_outside_address(content_client: TestClient) -> None:
    page = content_client.get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert OUTSIDE.search(page.text) is None
    assert OUTSIDE.search(content_client.get("/docs/start.js").text) is None
    assert "url(http" not in content_client.get("/docs/swagger-ui.css").text
    assert "@import" not in content_client.get("/docs/swagger-ui.css").text


def test_everything_the_page_refers_to_is_served(content_client: TestClient) -> None:
    references = REFERENCE.findall(content_client.get("/docs").text)
    assert len(references) >= 5
    for reference in references:
        response = content_client.get(f"/{reference}")
        assert response.status_code == 200, reference
        assert response.content, reference


def test_the_page_may_load_and_ask_nothing_from_elsewhere(content_client: TestClient) -> None:
    policy = content_client.get("/docs").headers["Content-Security-Policy"]
    allowed = dict(
        directive.strip().split(" ", 1) for directive in policy.split(";") if directive.strip()
    )
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == "'self'"
    assert allowed["connect-src"] == "'self'"
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("start.js", "text/javascript; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ],
)
def test_every_asset_has_its_media_type(
    content_client: TestClient, name: str, media_type: str
) -> None:
    assert content_client.get(f"/docs/{name}").headers["Content-Type"] == media_type


@pytest.mark.parametrize(
    "name", ["LICENSE", "NOTICE", "nothing.js", "..%2Fdocs_page.py", "%2e%2e%2fdocs_page.py"]
)
def test_no_other_file_is_served(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/docs/{name}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
