"""The log of a real server holds no health data, no secrets and no query: what, where, how long."""

import json
import re
from pathlib import Path

import httpx

from tests.core.stored import execute
from tests.support.device import Device
from tests.support.server import running_server

NOTE = "Quokka-Numbat hurts"
# No part of a random id or of a time, which are hexadecimal and digits.
MARKS = ("Quokka", "Numbat")
# What both raise names the statement and the failing row.
FAIL_ON_NOTES = {
    "sqlite": """
        CREATE TRIGGER fail BEFORE INSERT ON symptom_report WHEN NEW.note LIKE '%fails%'
        BEGIN SELECT RAISE(ABORT, 'no such note'); END
    """,
    "postgresql": """
        ALTER TABLE symptom_report ADD CONSTRAINT no_such_note CHECK (note NOT LIKE '%fails%')
    """,
}


def test_the_log_shows_what_happened_and_nothing_about_a_person(
    database_url: str, tmp_path: Path
) -> None:
    execute(database_url, FAIL_ON_NOTES[database_url.partition(":")[0]])
    with (
        running_server(database_url, tmp_path, log_level="debug") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        device = Device(client)
        enrolled = device.enrol(age_band="age_40_49", conditions=["diabetes"])
        session = device.session(note=NOTE, pain_before=6, pain_after=7)
        assert device.post_session(session).status_code == 201
        assert device.post_session(session | {"note": f"{NOTE}!"}).status_code == 409
        report = device.report({"saddle_numbness": "yes"}, note=NOTE, pain_score=9, age_years=47)
        assert device.post_report(report).status_code == 201
        assert device.post_report(report | {"trend": MARKS[0]}).status_code == 422
        assert device.get("/v1/sessions", limit=7, cursor=MARKS[0]).status_code == 422
        assert device.get(f"/v1/sessions/{session['id']}").status_code == 200
        assert device.get("/v1/exercises", lang="es", equipment="towel").status_code == 200
        assert client.get(f"/v1/{MARKS[0]}", params={"pain": MARKS[1]}).status_code == 404
        broken = client.post(
            "/v1/sessions",
            content=f'{{"note": "{NOTE}"',
            headers={**device.headers, "Content-Type": "application/json"},
        )
        assert broken.status_code == 422
        stolen = {"Authorization": f"Bearer {device.token[:-4]}0000"}
        assert client.get("/v1/me", headers=stolen).status_code == 401
        device.put("/v1/me/schedule", device.schedule())
        calendar = device.post("/v1/me/schedule/feed").json()["path"]
        address = calendar.rpartition("/")[2].removesuffix(".ics")
        for tried in (calendar, calendar.replace(".ics", ".ics?x=1"), f"{calendar}/x"):
            client.get(tried)
        device.delete("/v1/me/schedule/feed")
        assert client.get(calendar).status_code == 404
        # An unexpected error is the most likely place for a secret to leak.
        failed = device.post_report(device.report({"fever": "yes"}, note=f"{NOTE} fails"))
        assert failed.status_code == 500
        ids = [session["id"], report["id"], device.participant_id, enrolled["device_id"]]
        secrets = [
            device.token,
            device.token.rpartition("_")[2],
            enrolled["recovery_code"],
            address,
        ]
    log = server.log
    for text in (*MARKS, *secrets, *ids, *(text.replace("-", "") for text in ids)):
        assert text not in log
    for word in ("saddle_numbness", "age_40_49", "diabetes", "towel", "pain_before", "Bearer"):
        assert word not in log
    assert "?" not in log
    events = [json.loads(line) for line in log.splitlines()]
    requests = [event for event in events if event["event"] == "request"]
    seen = {(event["method"], event["route"], event["status"]) for event in requests}
    assert {
        ("POST", "/v1/participants", 201),
        ("POST", "/v1/sessions", 201),
        ("POST", "/v1/sessions", 409),
        ("POST", "/v1/symptom-reports", 201),
        ("POST", "/v1/symptom-reports", 422),
        ("POST", "/v1/symptom-reports", 500),
        ("GET", "/v1/sessions/{session_id}", 200),
        ("GET", "/v1/exercises", 200),
        ("GET", "/v1/calendars/{address}.ics", 200),
        ("GET", "/v1/calendars/{address}.ics", 404),
        ("GET", None, 404),
        ("GET", "/v1/me", 401),
    } <= seen
    for event in requests:
        assert set(event) == {
            "event",
            "method",
            "route",
            "status",
            "milliseconds",
            "request_id",
            "level",
            "timestamp",
        }
        assert re.fullmatch("[0-9a-f]{32}", event["request_id"])
    # The failure can be found: by its request, its kind and its place.
    (error,) = [event for event in events if event["event"] == "unhandled error"]
    assert error["request_id"] == failed.headers["X-Request-ID"]
    assert any("IntegrityError" in name for name in error["exception"])
    assert any("api/journal" in place for place in error["stack"])
