"""`/clinic` as it is served: everything from here, and nothing that could be slipped in."""

import re

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from api.clinicians.page import FOLDER, MEDIA_TYPES
from api.core.config import Settings
from tests.conftest import AppMaker

OUTSIDE = re.compile(r"(?:https?:)?//[a-z0-9]", re.IGNORECASE)
# Names the vocabulary of drawings; nothing is fetched from there.
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
REFERENCE = re.compile(r'(?:src|href)="([^"#]+)"')
IMPORT = re.compile(r'from "\./([^"]+)"')
STORES = ("localStorage", "document.cookie", "indexedDB", "innerHTML", "eval(", "console.")


ISSUER = "https://login.example.org/realms/hospital"


def policy_of(client: TestClient) -> dict[str, str]:
    policy = client.get("/clinic").headers["Content-Security-Policy"]
    directives = (directive.strip().partition(" ") for directive in policy.split(";"))
    return {name: value for name, _, value in directives}


def test_the_page_may_load_and_ask_nothing_from_elsewhere(content_client: TestClient) -> None:
    policy = policy_of(content_client)
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_every_file_of_the_page_is_served_and_names_no_outside_address(
    content_client: TestClient,
) -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(MEDIA_TYPES)
    for name, media_type in MEDIA_TYPES.items():
        path = "/clinic" if name == "index.html" else f"/clinic/{name}"
        response = content_client.get(path)
        assert response.status_code == 200, name
        assert response.headers["Content-Type"] == media_type
        assert OUTSIDE.search(response.text.replace(SVG_NAMESPACE, "")) is None, name


def test_everything_that_a_file_refers_to_is_there(content_client: TestClient) -> None:
    page = content_client.get("/clinic").text
    references = {f"/{name}" for name in REFERENCE.findall(page)}
    references |= {
        f"/clinic/{name}"
        for script in FOLDER.glob("*.js")
        for name in IMPORT.findall(script.read_text("utf-8"))
    }
    assert len(references) >= 8
    for reference in references:
        assert content_client.get(reference).status_code == 200, reference


def test_no_script_keeps_anything_or_makes_markup_of_text() -> None:
    for script in FOLDER.glob("*.js"):
        text = script.read_text("utf-8")
        assert not [word for word in STORES if word in text], script.name
        # Between leaving for the issuer and coming back, and holding no token.
        assert ("sessionStorage" in text) == (script.name == "issuer.js")


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpage.py", "%2e%2e%2fpage.py", "index.htm"])
def test_no_other_file_is_served(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/clinic/{name}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_a_browser_asks_each_time_whether_the_page_has_changed(content_client: TestClient) -> None:
    first = content_client.get("/clinic")
    assert first.headers["Cache-Control"] == "public, max-age=0"
    etag = {"If-None-Match": first.headers["ETag"]}
    again = content_client.get("/clinic", headers=etag)
    assert again.status_code == 304
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_with_an_issuer_the_page_may_ask_that_one_as_well(
    database_url: str, make_client: AppMaker
) -> None:
    issuer = {
        "database_url": database_url,
        "oidc_issuer": ISSUER,
        "oidc_audience": "footing",
    }
    without = make_client(**issuer)
    assert policy_of(without)["connect-src"] == "'self'"
    assert without.get("/clinic/sign-in.json").json() is None
    client = make_client(**issuer, oidc_client_id="footing-page")
    assert policy_of(client)["connect-src"] == "'self' https://login.example.org"
    assert client.get("/clinic/sign-in.json").json() == {
        "issuer": ISSUER,
        "client_id": "footing-page",
        "scope": "openid aggregates:read",
    }


def test_a_client_without_an_issuer_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="FOOTING_OIDC_ISSUER"):
        Settings(oidc_client_id="footing-page")
    assert Settings(oidc_client_id="").oidc_client_id is None
