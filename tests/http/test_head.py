"""HEAD: the same status and headers as GET, and no body."""

import re
from collections.abc import Iterator

from starlette.testclient import TestClient

from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.device import Device
from tests.support.document import RECORDED

VOLATILE = {"x-request-id", "ratelimit", "date"}
SAMPLES = {
    "/v1/exercises/{item_id}": "toe-curls",
    "/v1/massages/{item_id}": "heel-massage",
    "/v1/warnings/{item_id}": "radiating-pain",
    "/v1/routines/{item_id}": "daily-15-minutes",
    "/v1/aggregates/tables/{table}": "routine",
}
QUERIES = {"/v1/aggregates/series": "?table=routine&key=personalised&stat=people"}


def get_paths() -> Iterator[str]:
    return (path for path, methods in RECORDED["paths"].items() if "get" in methods)


def test_head_responds_like_get_without_a_body(
    device: Device, client: TestClient, database_url: str, clock: FakeClock
) -> None:
    session, report = device.session(), device.report()
    device.post_session(session)
    assert device.put("/v1/me/schedule", device.schedule()).status_code in {200, 201}
    address = device.post("/v1/me/schedule/feed").json()["path"].rpartition("/")[2]
    decision = device.post_report(report).json()["decision"]
    picture = client.get("/v1/exercises/toe-curls").json()["media"][0]["url"]
    samples = SAMPLES | {
        "/v1/sessions/{session_id}": session["id"],
        "/v1/symptom-reports/{report_id}": report["id"],
        "/v1/decisions/{decision_id}": decision["id"],
        "/v1/triage/rule-sets/{rule_set_hash}": decision["rule_set_hash"],
        "/v1/media/{name}": picture.rpartition("/")[2],
        "/v1/calendars/{address}.ics": address.removesuffix(".ics"),
    }
    clinician = {"Authorization": f"Bearer {give_key(database_url, clock)}"}
    paths = list(get_paths())
    assert len(paths) > 20
    for path in paths:
        assert "{" not in path or path in samples, f"{path} needs a sample here"
        url = re.sub(r"\{.*\}", str(samples.get(path)), path) + QUERIES.get(path, "")
        needs_clinician = {"clinicianToken": []} in RECORDED["paths"][path]["get"]["security"]
        headers = clinician if needs_clinician else device.headers
        got = client.get(url, headers=headers)
        head = client.head(url, headers=headers)
        assert got.status_code == 200, path
        assert head.status_code == 200, path
        assert head.content == b"", path
        same = [
            {key: value for key, value in response.headers.items() if key not in VOLATILE}
            for response in (got, head)
        ]
        assert same[0] == same[1], path


def test_head_of_what_is_not_there_is_not_found(content_client: TestClient) -> None:
    response = content_client.head("/v1/exercises/nothing")
    assert response.status_code == 404
    assert response.content == b""
    assert response.headers["Content-Type"] == "application/problem+json"
