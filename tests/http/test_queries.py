"""Query parameters are known or rejected, on every endpoint: none is ignored."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.core.config import Settings
from api.main import create_app
from tests.support import databases
from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.device import Device
from tests.support.document import RECORDED

# Requested by generic programs.
ADDRESSES = ("/healthz", "/readyz", "/v1/media/{name}", "/v1/calendars/{address}.ics")
CALLS = [
    (method, path)
    for path, item in RECORDED["paths"].items()
    for method in item
    if path not in ADDRESSES
]


@pytest.fixture(scope="module")
def device(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Every request here is rejected, so that one client is enough for all."""
    folder = tmp_path_factory.mktemp("queries")
    with databases.fresh_database("sqlite", templates, folder) as url:
        app = create_app(Settings(database_url=url), FakeClock())
        with TestClient(app, raise_server_exceptions=False) as client:
            device = Device(client)
            device.enrol()
            yield device


@pytest.fixture(scope="module")
def key(device: Device) -> str:
    url: str = device.client.app.state.context.settings.database_url  # type: ignore[attr-defined]
    return give_key(url, FakeClock())


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_an_unknown_parameter_is_named(device: Device, key: str, method: str, path: str) -> None:
    closed = {"clinicianToken": []} in RECORDED["paths"][path][method]["security"]
    token = key if closed else device.token
    address = re.sub(r"{\w+}", "00000000-0000-4000-8000-000000000000", path)
    call = partial(
        device.client.request,
        method,
        address,
        params={"equipement": "towel", "a/b~": ""},
        json={} if method in {"post", "put", "patch"} else None,
    )
    answer = call(headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 422
    codes = {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
    assert codes["/query/equipement"] == "unknown_parameter"
    assert codes["/query/a~1b~0"] == "unknown_parameter"
    # Without access, that is the only error.
    needs_token = {} not in RECORDED["paths"][path][method]["security"]
    assert call().status_code == (401 if needs_token else 422)


def test_shared_urls_accept_any_query_parameters(device: Device) -> None:
    drawing = device.get("/v1/exercises/toe-curls").json()["media"][0]["url"]
    assert device.put("/v1/me/schedule", device.schedule()).is_success
    feed = device.post("/v1/me/schedule/feed").json()["path"]
    for address in ("/healthz", "/readyz", drawing, feed):
        plain, added = (device.client.get(address + query) for query in ("", "?v=1&lang=xx"))
        assert (plain.status_code, added.status_code) == (200, 200), address
        assert added.headers.get("ETag") == plain.headers.get("ETag")


def test_a_mistyped_filter_does_not_return_everything(content_client: TestClient) -> None:
    refused = content_client.get("/v1/exercises?equipement=towel&limit=5")
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "/query/equipement"
    assert "equipment" in fault["message"]
    assert content_client.get("/v1/exercises?equipment=towel&limit=5").status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/clinic"])
def test_pages_accept_any_query_parameters(content_client: TestClient, path: str) -> None:
    # An issuer of tokens sends people back with what it adds.
    assert content_client.get(f"{path}?code=abc&state=def").status_code == 200


@pytest.mark.parametrize(
    "limit", ["1_0", "+5", " 5", "5 ", "٥", "5.0", "0x5", "1e1", "", "--5", "５"]
)
def test_a_limit_is_written_in_digits(content_client: TestClient, limit: str) -> None:
    refused = content_client.get("/v1/exercises", params={"limit": limit})
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/query/limit"]
    assert refused.json()["errors"][0]["code"] == "int_parsing"


def test_a_limit_out_of_its_bounds_is_refused(content_client: TestClient) -> None:
    for limit, code in (
        ("0", "greater_than_equal"),
        ("-1", "greater_than_equal"),
        ("201", "less_than_equal"),
    ):
        refused = content_client.get("/v1/exercises", params={"limit": limit})
        assert [fault["code"] for fault in refused.json()["errors"]] == [code]


def test_people_are_led_to_the_documentation_and_clients_to_the_document(
    content_client: TestClient,
) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for accept, place in (
        (browser, "/docs"),
        ("*/*", "/v1/openapi.json"),
        ("application/json", "/v1/openapi.json"),
        ("application/json, text/html;q=0.5", "/v1/openapi.json"),
    ):
        led = content_client.get("/", headers={"Accept": accept}, follow_redirects=False)
        assert (led.status_code, led.headers["Location"]) == (307, place), accept
        assert led.headers["Vary"] == "Accept"
        assert content_client.get("/", headers={"Accept": accept}).status_code == 200
    assert content_client.head("/", follow_redirects=False).status_code == 307
    assert content_client.post("/").status_code == 405
