"""The examples of the OpenAPI document, recorded from the app as a client would use it.

    RECORD_EXAMPLES=1 python -m pytest tests/contract/test_openapi.py -k "examples_are and sqlite"
    footing openapi > docs/openapi.json

rewrite them when the schema or the texts of a response have changed.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx

from api.http.problems import from_exception, problem_response

Json = dict[str, Any]
REQUEST_ID = "01939d6e7a5b7c3e8f102b6d5c4e3a21"
SESSION_ID = "01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"
REPORT_ID = "01939d70-1c44-7a90-b2d1-6e0f9a8b7c6d"
CLEARANCE_ID = "0193b5f2-93d0-7e6b-a4c8-0d1e2f3a4b5c"
BATCHED_ID = "0193b1c4-2a10-7b3d-9c55-1f2e3d4c5b6a"
UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
LARGE = 40
DIGITS = "0123456789abcdef"
EXAMPLE_CODE = "8KQ3V-M2XHT-7WJ0R-PCE5N-BY4GD-A9SZ1-F"
EXAMPLE_HASH = hashlib.sha256(b"footing").hexdigest()
# What is random, or names much content at once and would change with any word of it.
UNSTABLE = (
    (re.compile(r"\b[0-9a-f]{64}\b"), EXAMPLE_HASH),
    (re.compile(r"-[0-9a-f]{16}\.svg$"), "-0123456789abcdef.svg"),
    (re.compile(r"again in \d+ seconds"), "again in 60 seconds"),
    (re.compile(r"^Wy[IJ][A-Za-z0-9_-]+$"), "WyIwMTIzNDU2Nzg5YWJjZGVmIiwgIjQiLCAiMDE5MzlkNmYiXQ"),
    (re.compile(r"^fp_[0-9a-f_]+$"), f"fp_{DIGITS * 2}_{DIGITS * 2}_{DIGITS * 4}"),
    (re.compile(r"^([0-9A-Z]{5}-){3,}[0-9A-Z*~$=-]+$"), EXAMPLE_CODE),
)
JSON = {"Content-Type": "application/json"}
PLAIN = {"Content-Type": "text/plain"}

WHEN: Json = {"local_date": "2026-11-22", "time_zone": "Europe/Madrid"}
TOE_CURLS: Json = {"activity_id": "toe-curls", "kind": "exercise", "seconds": 150}
REPORT: Json = {
    "pain_score": 5,
    "weeks": 2,
    "trend": "same",
    "age_years": 46,
    "country": "ES",
    "answers": {
        "radiating_pain": "left",
        "leg_numbness": "none",
        "leg_weakness": "none",
        "trauma": "none",
        "other_numbness": "no",
        "saddle_numbness": "no",
        "bladder_change": "no",
        "bowel_change": "no",
        "sexual_change": "no",
        "leg_weakness_worsening": "no",
        "unsteady_walking": "no",
        "chest_pain": "no",
        "breathless": "no",
        "sudden_severe_abdomen": "no",
        "fever": "no",
        "cancer_history": "no",
    },
}
# Requests of a client, by the name of their schema.
SENT: dict[str, Json] = {
    "Enrolment": {
        "time_zone": "Europe/Madrid",
        "language": "en",
        "consent": {"version": "2026-11-22", "storage": True, "research": False},
        "age_band": "age_40_49",
        "conditions": ["diabetes"],
    },
    "ProfileChange": {"time_zone": "Europe/Lisbon", "conditions": ["diabetes", "gout"]},
    "ConsentChoice": {"version": "2026-11-22", "storage": True, "research": True},
    "NewSchedule": {
        "routine_id": "daily-15-minutes",
        "weekdays": ["mon", "wed", "fri"],
        "times": ["08:00", "19:30"],
        "time_zone": "Europe/Madrid",
        "starts_on": "2026-11-23",
    },
    "NewSession": {
        "id": SESSION_ID,
        "routine_id": "daily-15-minutes",
        "started_at": "2026-11-22T11:00:00+01:00",
        "ended_at": "2026-11-22T11:15:00+01:00",
        **WHEN,
        "status": "completed",
        "items": [TOE_CURLS | {"side": "left"}, TOE_CURLS | {"side": "right"}],
        "pain_before": 5,
        "pain_after": 4,
        "effort": 3,
        "note": "Easier than yesterday.",
    },
    "TriageReport": REPORT,
    "NewSymptomReport": {
        "id": REPORT_ID,
        "reported_at": "2026-11-22T11:20:00+01:00",
        **WHEN,
        **REPORT,
        "note": "It runs down the left leg since Friday.",
        "device_decision": {"level": "see_professional", "rule_set_hash": EXAMPLE_HASH},
    },
    "DeviceLink": {"recovery_code": EXAMPLE_CODE},
    "NewClearance": {"id": CLEARANCE_ID, "cleared_at": "2026-11-22T12:30:00+01:00"},
    "Batch": {
        "device_time": "2026-11-22T13:00:02+01:00",
        "sessions": [
            {
                "id": BATCHED_ID,
                "started_at": "2026-11-21T19:00:00+01:00",
                "ended_at": "2026-11-21T19:10:00+01:00",
                "local_date": "2026-11-21",
                "time_zone": "Europe/Madrid",
                "status": "partial",
                "items": [TOE_CURLS | {"side": "left"}],
            }
        ],
    },
    "Reconciliation": {
        "items": [{"kind": "session", "id": BATCHED_ID, "content_hash": EXAMPLE_HASH}],
    },
    "PlanRequest": {
        "minutes": 15,
        "equipment": ["chair", "towel", "tennis_ball"],
        "positions": ["seated", "standing"],
        "conditions": ["diabetes"],
    },
}
# What the app answers to it, by the name of its schema: method, path and what is sent.
ANSWERED: tuple[tuple[str, str, str, str | None], ...] = (
    ("Enrolled", "POST", "/v1/participants", "Enrolment"),
    ("Profile", "GET", "/v1/me", None),
    ("ExerciseList", "GET", "/v1/exercises", None),
    ("Exercise", "GET", "/v1/exercises/toe-curls", None),
    ("MassageList", "GET", "/v1/massages", None),
    ("Massage", "GET", "/v1/massages/heel-massage", None),
    ("WarningList", "GET", "/v1/warnings", None),
    ("HealthWarning", "GET", "/v1/warnings/radiating-pain", None),
    ("RoutineList", "GET", "/v1/routines", None),
    ("Routine", "GET", "/v1/routines/daily-15-minutes", None),
    ("TipList", "GET", "/v1/tips", None),
    ("BenefitList", "GET", "/v1/benefits", None),
    ("SourceList", "GET", "/v1/sources", None),
    ("ConsentList", "GET", "/v1/consents", None),
    ("ContentBundle", "GET", "/v1/content", None),
    ("CurrentRuleSet", "GET", "/v1/triage/rule-set", None),
    ("ServedRuleSet", "GET", "/v1/triage/rule-sets/{rule_set}", None),
    ("Decision", "POST", "/v1/triage/evaluations", "TriageReport"),
    ("TriageVectors", "GET", "/v1/triage/vectors", None),
    ("Plan", "POST", "/v1/plans", "PlanRequest"),
    ("LoggedSession", "POST", "/v1/sessions", "NewSession"),
    ("SessionList", "GET", "/v1/sessions", None),
    ("LoggedSymptomReport", "POST", "/v1/symptom-reports", "NewSymptomReport"),
    ("SymptomReportList", "GET", "/v1/symptom-reports", None),
    ("DecisionDetails", "GET", "/v1/decisions/{decision}", None),
    ("ReplayedDecision", "POST", "/v1/decisions/{decision}/replay", None),
    ("LoggedClearance", "POST", "/v1/me/clearances", "NewClearance"),
    ("BatchReceipts", "POST", "/v1/batches", "Batch"),
    ("ChangeList", "GET", "/v1/changes?cursor={cursor}", None),
    ("Reconciled", "POST", "/v1/reconcile", "Reconciliation"),
    ("Progress", "GET", "/v1/me/progress", None),
    ("ConsentHistory", "PUT", "/v1/me/consent", "ConsentChoice"),
    ("PrivacyLedger", "GET", "/v1/me/privacy-ledger", None),
    ("Schedule", "PUT", "/v1/me/schedule", "NewSchedule"),
    ("NewCalendarFeed", "POST", "/v1/me/schedule/feed", None),
    # One of each so far: lists of things made at the same moment have no order.
    ("Export", "GET", "/v1/me/export", None),
    ("DeviceList", "GET", "/v1/devices", None),
    ("NewRecoveryCode", "POST", "/v1/me/recovery-code", None),
    ("LinkedDevice", "POST", "/v1/devices", "DeviceLink"),
    ("Compatibility", "GET", "/v1/compatibility", None),
    ("Health", "GET", "/healthz", None),
    ("Readiness", "GET", "/readyz", None),
)
# What it answers to a clinician: method and path.
ANSWERED_CLINICIAN = (
    ("ClinicianProfile", "GET", "/v1/clinician"),
    ("AggregateIndex", "GET", "/v1/aggregates"),
    ("AggregateTable", "GET", "/v1/aggregates/tables/routine"),
    (
        "AggregateSeries",
        "GET",
        "/v1/aggregates/series?table=routine&key=daily-15-minutes&stat=people",
    ),
)


def _answers(client: httpx.Client) -> Iterator[tuple[str, Any]]:
    """Send the requests of a client's day; every one must succeed."""
    client.headers["X-Request-ID"] = REQUEST_ID
    real = {"rule_set": "", "decision": "", "code": ""}
    for name, method, path, sent in ANSWERED:
        body = json.dumps(SENT.get(sent or ""))
        body = body.replace(EXAMPLE_HASH, real["rule_set"]).replace(EXAMPLE_CODE, real["code"])
        response = client.request(
            method, path.format(**real), content=body if sent else None, headers=JSON
        )
        assert response.is_success, (name, response.text)
        answer = response.json()
        yield name, answer
        match name:
            case "Enrolled":
                client.headers["Authorization"] = f"Bearer {answer['device_token']}"
            case "CurrentRuleSet":
                real["rule_set"] = answer["hash"]
            case "LoggedSymptomReport":
                real["decision"] = answer["decision"]["id"]
            case "LoggedClearance":
                real["cursor"] = client.get("/v1/changes").json()["next_cursor"]
            case "NewRecoveryCode":
                real["code"] = answer["recovery_code"]


def _problems(client: httpx.Client, limited: httpx.Client) -> Iterator[tuple[str, Any]]:
    """Run into every problem there is."""
    limited.headers["X-Request-ID"] = REQUEST_ID
    session = SENT["NewSession"]
    plan = SENT["PlanRequest"]
    stranger = {"Authorization": ""}
    clinician = {"Authorization": "Bearer fc_0123456789abcdef"}
    responses = [
        client.get("/v1/me", headers=stranger),
        client.get("/v1/me", headers=clinician),
        client.get(f"/v1/sessions/{REPORT_ID}"),
        client.get("/v1/me/export", headers={"Accept": "text/csv"}),
        client.post("/v1/sessions", json=session | {"pain_after": 3}),
        client.delete("/v1/me/schedule", headers={"If-Match": '"0"'}),
        client.post("/v1/sessions", content=iter((b"x" * 2_000_000,)), headers=JSON),
        client.post("/v1/sessions", content="pain_after=3", headers=PLAIN),
        client.post("/v1/sessions", json=session | {"started_at": "2026-11-22T11:00:00"}),
        *(limited.post("/v1/plans", json=plan) for _ in range(2)),
    ]
    for response in responses:
        if response.status_code != 200:
            yield f"Problem{response.status_code}", response.json()
    scope = {"path": "/v1/sessions", "state": {"request_id": REQUEST_ID}}
    for raised in (RuntimeError(), TimeoutError()):
        made = problem_response(scope, from_exception(raised))
        yield f"Problem{made.status_code}", json.loads(bytes(made.body))


def _clinician(client: httpx.Client, key: str) -> Iterator[tuple[str, Any]]:
    """Ask as a clinician does."""
    headers = {"Authorization": f"Bearer {key}"}
    for name, method, path in ANSWERED_CLINICIAN:
        response = client.request(method, path, headers=headers)
        assert response.is_success, (name, response.text)
        yield name, response.json()


def _farewell(client: httpx.Client) -> Iterator[tuple[str, Any]]:
    """Erase the participant; the next request of the device gets 410."""
    yield "ErasureReceipt", client.delete("/v1/me").json()
    yield "Problem410", client.get("/v1/me").json()


def _cut(value: Any) -> Any:
    """Cut every list to its first entry, and what is as large as a list."""
    if isinstance(value, dict):
        keys = value if len(value) < LARGE else sorted(value)[:1]
        return {key: _cut(value[key]) for key in keys}
    if isinstance(value, list):
        # Spectral takes anything of the type "integer" for a schema, also a question in an example.
        shown = [
            entry
            for entry in value
            if not isinstance(entry, dict) or entry.get("type") != "integer"
        ]
        return [_cut(entry) for entry in shown[:1]]
    return value


class Stable:
    """Replaces what would differ the next time; the same id is the same example everywhere."""

    def __init__(self) -> None:
        self.ids = {name: name for name in (SESSION_ID, REPORT_ID, CLEARANCE_ID)}

    def id(self, found: re.Match[str]) -> str:
        number = len(self.ids)
        return self.ids.setdefault(found[0], f"01939d6f-0000-7000-8000-{number:012d}")

    def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.of(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.of(entry) for entry in value]
        if not isinstance(value, str):
            return value
        for pattern, example in UNSTABLE:
            value = pattern.sub(example, value)
        return UUID.sub(self.id, value)


def record(client: httpx.Client, limited: httpx.Client, clinician_key: str) -> dict[str, Any]:
    """Return one example for every schema of a body; `limited` is let through once."""
    stable = Stable()
    day = itertools.chain(
        _answers(client),
        _problems(client, limited),
        _clinician(client, clinician_key),
        _farewell(client),
    )
    return SENT | {name: stable.of(_cut(answer)) for name, answer in day}
