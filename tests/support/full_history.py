"""A participant with every kind of record, corrections, and decisions that were made again."""

import datetime
import uuid

from tests.support.clock import FakeClock
from tests.support.device import Device

NOTE = "a-note-nobody-else-may-see"


def _post(device: Device, clock: FakeClock, path: str, body: dict[str, object]) -> str:
    """Upload a record, a minute after the one before."""
    clock.advance(minutes=1)
    response = device.client.post(path, json=body, headers=device.headers)
    assert response.status_code == 201, response.text
    return str(body["id"])


def upload_full_history(device: Device, clock: FakeClock) -> None:
    """Upload some weeks of records, partly late and out of order."""
    today = datetime.datetime(2026, 11, 22, 7, 30, tzinfo=datetime.UTC)

    def session(days_ago: int, **changes: object) -> str:
        device.now = today - datetime.timedelta(days=days_ago)
        return _post(device, clock, "/v1/sessions", device.session(**changes))

    def report(days_ago: int, answers: dict[str, str], **changes: object) -> str:
        device.now = today - datetime.timedelta(days=days_ago)
        return _post(device, clock, "/v1/symptom-reports", device.report(answers, **changes))

    wrong = session(3, pain_before=3, pain_after=9)
    session(3, replaces=wrong, pain_before=3, pain_after=2, note=NOTE, effort=0)
    session(2, replaces=str(uuid.uuid4()), routine_id=None, items=[], note="  ")
    session(1, status="partial", pain_before=None, pain_after=0)
    session(0, status="abandoned", pain_after=None, effort=10, items=ITEMS)
    for days in range(8, 20, 3):
        session(days, pain_before=8, pain_after=7)
    rule_set = device.client.get("/v1/triage/rule-set").json()
    choices = {
        question["id"]: question["choices"][len(question["id"]) % len(question["choices"])]["id"]
        for question in rule_set["questions"]
        if question["choices"] and question["id"] != "trend"
    }
    report(
        1,
        choices,
        pain_score=6,
        weeks=0,
        trend="worse",
        age_years=46,
        country="ES",
        note=f"{NOTE}\x01",
        device_decision={"level": "urgent", "rule_set_hash": rule_set["hash"]},
    )
    # This one first stands alone, then in an episode of 50 days, then in one of nine.
    report(2, {}, pain_score=5)
    report(50, {"radiating_pain": "left"}, pain_score=2)
    report(11, {}, pain_score=0, note="")
    cleared = {"id": str(uuid.uuid4()), "cleared_at": today - datetime.timedelta(days=30)}
    cleared["cleared_at"] = str(cleared["cleared_at"]).replace(" ", "T")
    _post(device, clock, "/v1/me/clearances", dict(cleared))
    # A device that generates the same id for records of two kinds does no harm.
    device.now = today
    _post(device, clock, "/v1/symptom-reports", device.report({}, id=wrong))


ITEMS = [
    {
        "activity_id": "toe-curls",
        "kind": "exercise",
        "side": "left",
        "seconds": 120,
        "sets": 3,
        "repetitions": 15,
        "target_seconds": 150,
        "target_sets": 3,
        "target_repetitions": 15,
    },
    {"activity_id": "toe-curls", "kind": "exercise", "side": "right", "seconds": 0},
    {"activity_id": "heel-massage", "kind": "massage", "side": "both", "skipped": True},
]
