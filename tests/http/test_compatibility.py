"""Compatibility: deprecations are announced in advance, and no app is too old to be helped."""

import datetime
import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.core.config import Settings
from api.core.errors import NotReady
from api.main import create_app
from tests.conftest import AppMaker
from tests.support.device import Device, Json

APPS: Json = {
    "ios": {
        "minimum": "1.4.0",
        "recommended": "2.0",
        "store_url": "https://apps.example.org/footing?x=1",
    },
    "android": {"minimum": "1.10"},
}
TIPS: Json = {
    "method": "GET",
    "path": "/v1/tips",
    "deprecated_at": "2026-01-01T00:00:00Z",
    "sunset_at": "2027-01-01T01:00:00+01:00",
    "link": "https://example.org/changes#tips",
}
ONE_SESSION: Json = {
    "method": "GET",
    "path": "/v1/sessions/{session_id}",
    "deprecated_at": "2026-06-01T12:00:00+02:00",
}


def test_the_defaults_set_no_versions_and_no_deprecations(content_client: TestClient) -> None:
    response = content_client.get("/v1/compatibility")
    assert response.status_code == 200
    body = response.json()
    assert body["api_version"] == "v1"
    assert (
        body["server_version"] == content_client.get("/v1/openapi.json").json()["info"]["version"]
    )
    assert body["platforms"] == [
        {"platform": platform, "minimum": None, "recommended": None, "store_url": None}
        for platform in ("ios", "android", "web")
    ]
    assert body["deprecated_calls"] == []


def test_it_lists_versions_stores_and_deprecated_endpoints(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(
        database_url=database_url, app_versions=APPS, deprecations=(TIPS, ONE_SESSION)
    )
    body = client.get("/v1/compatibility").json()
    assert body["platforms"][0] == {"platform": "ios", **APPS["ios"]}
    assert body["platforms"][1]["minimum"] == "1.10"
    assert body["platforms"][1]["store_url"] is None
    assert body["below_minimum"] == ["uploads", "triage", "own_data"]
    assert body["deprecated_calls"] == [
        TIPS | {"sunset_at": "2027-01-01T00:00:00Z"},
        ONE_SESSION | {"deprecated_at": "2026-06-01T10:00:00Z", "sunset_at": None, "link": None},
    ]


def test_it_may_be_kept_and_asked_for_again(content_client: TestClient) -> None:
    first = content_client.get("/v1/compatibility", headers={"Accept-Encoding": "br"})
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    again = content_client.get(
        "/v1/compatibility", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert content_client.head("/v1/compatibility").status_code == 200


def test_only_responses_of_deprecated_endpoints_have_the_headers(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, deprecations=(TIPS, ONE_SESSION))
    for response in (client.get("/v1/tips"), client.head("/v1/tips")):
        assert response.status_code == 200
        # RFC 9745: a date of structured fields, in seconds since 1970.
        at = int(response.headers["Deprecation"].removeprefix("@"))
        assert at == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()
        # RFC 8594: a date as in every other header of HTTP.
        assert response.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
        assert parsedate_to_datetime(response.headers["Sunset"]).year == 2027
        link = '<https://example.org/changes#tips>; rel="deprecation"; type="text/html"'
        assert response.headers["Link"] == link
    refused = client.get("/v1/tips", params={"lang": "fr"})
    assert refused.status_code == 422
    assert "Deprecation" in refused.headers
    device = Device(client)
    device.enrol()
    missing = device.get(f"/v1/sessions/{device.session()['id']}")
    assert missing.status_code == 404
    assert missing.headers["Deprecation"] == "@1780308000"
    assert not {"Sunset", "Link"} & {name.title() for name in missing.headers}
    for other in (client.get("/v1/benefits"), device.get("/v1/sessions"), client.post("/v1/tips")):
        assert "Deprecation" not in other.headers


def test_the_document_marks_a_deprecated_endpoint(database_url: str, make_client: AppMaker) -> None:
    client = make_client(database_url=database_url, deprecations=(TIPS,))
    document = client.get("/v1/openapi.json").json()
    marked = [
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("deprecated")
    ]
    assert marked == ["get /v1/tips"]
    headers = document["paths"]["/v1/tips"]["get"]["responses"]["200"]["headers"]
    assert {"Deprecation", "Sunset", "Link"} <= headers.keys() & document["components"]["headers"]


def test_without_deprecations_the_document_is_the_committed_one() -> None:
    plain = create_app(Settings()).openapi()
    assert create_app(Settings(app_versions=APPS)).openapi() == plain


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/v1/no-such-call"},
        {"path": "/v1/tips/"},
        {"path": "/v1/sessions/{id}"},
        {"method": "DELETE"},
    ],
)
def test_deprecating_an_unknown_endpoint_is_rejected_and_named(change: Json) -> None:
    call = TIPS | change
    with pytest.raises(NotReady) as refused:
        create_app(Settings(deprecations=(call,)))
    assert f"{call['method']} {call['path']}," in str(refused.value)


APP_HEADERS: list[dict[str, str]] = [
    {},
    {"User-Agent": "Footing/0.0.1 (iPhone; iOS 9.0)"},
    {"User-Agent": "Footing/999"},
    {"X-App-Version": "0.0.1", "X-Platform": "android"},
    {"User-Agent": ""},
]


@pytest.mark.parametrize("headers", APP_HEADERS)
def test_uploads_and_triage_work_whatever_version_the_app_states(
    database_url: str, make_client: AppMaker, headers: Any
) -> None:
    tomorrow: Json = {platform: {"minimum": "100.0.0"} for platform in ("ios", "android", "web")}
    client = make_client(database_url=database_url, app_versions=tomorrow)
    client.headers.update(headers)
    device = Device(client)
    device.enrol()
    assert device.post_session(device.session()).status_code == 201
    flagged = device.post_report(device.report({"saddle_numbness": "yes"}))
    assert (flagged.status_code, flagged.json()["decision"]["level"]) == (201, "emergency")
    clearance = {"id": device.session()["id"], "cleared_at": device.now.isoformat()}
    cleared = client.post("/v1/me/clearances", json=clearance, headers=device.headers)
    assert cleared.status_code == 201
    report = {"answers": {"saddle_numbness": "yes"}}
    assert client.post("/v1/triage/evaluations", json=report).json()["level"] == "emergency"
    assert client.get("/v1/triage/rule-set").status_code == 200
    assert device.get("/v1/me/export").status_code == 200
    assert json.loads(client.delete("/v1/me", headers=device.headers).text)["erased"]
