"""A body is measured before it is parsed: refusing is cheap, and nothing honest is refused."""

import contextlib
import json
import re
import time
import tracemalloc
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.testclient import TestClient

from api.core.errors import BodyTooComplex, MalformedJson, Problem
from api.http.json_limits import MAX_DEPTH, MAX_KEYS, MAX_VALUES, JsonMeter
from api.journal.schemas import NewSession, SessionItem
from api.sync.schemas import MAX_BATCH_VALUES, MAX_ITEMS, MAX_KNOWN, Reconciliation
from tests.support.budget import budget
from tests.support.device import Device, Json

BATCH, EVALUATE = "/v1/batches", "/v1/triage/evaluations"
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='"\\,[]{}:a\nü🦶'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='"\\,[{}a'), inner),
    max_leaves=30,
)


def measured(body: bytes, max_values: int = MAX_VALUES, cuts: int = 10**9) -> int:
    meter = JsonMeter(max_values)
    for start in range(0, len(body), cuts):
        meter.feed(body[start : start + cuts])
    return meter.values


def count(value: Any) -> int:
    """Count as the meter may: an empty list or object is at most one more."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + sum(map(count, inner))


def depth(value: Any) -> int:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(max_examples=budget(quick=150, full=5000))
@given(value=VALUE, cuts=st.integers(1, 40), escaped=st.booleans())
def test_whatever_is_json_is_measured_as_what_it_is_however_it_is_cut(
    value: Any, cuts: int, *, escaped: bool
) -> None:
    body = json.dumps(value, ensure_ascii=escaped).encode()
    exact = count(value)
    if depth(value) > MAX_DEPTH:
        with pytest.raises(BodyTooComplex, match="levels"):
            measured(body, cuts=cuts)
        return
    found = measured(body, cuts=cuts)
    empty = len(re.findall(r"\[\]|\{\}", json.dumps(value)))
    assert exact <= found <= exact + empty


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"[" * (MAX_DEPTH + 1), f"{MAX_DEPTH} levels"),
        (b'{"a":' * 100_000, f"{MAX_DEPTH} levels"),
        (b"{" + b'"a":1,' * (MAX_KEYS + 1) + b"}", f"{MAX_KEYS} keys in one object"),
        (b"[" + b"0," * MAX_VALUES + b"0]", f"{MAX_VALUES} values"),
        (b"[" + b"[]," * MAX_VALUES + b"0]", f"{MAX_VALUES} values"),
        (b'"' * 800_000, f"{MAX_VALUES} values"),
    ],
)
def test_a_body_beyond_a_limit_is_refused_with_the_limit(
    content_client: TestClient, body: bytes, limit: str
) -> None:
    response = content_client.post(
        EVALUATE, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_complex"
    assert response.json()["detail"] == f"The body has more than {limit}."
    assert response.headers["Connection"] == "close"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_json_in_another_encoding_is_no_way_around_the_limits(
    content_client: TestClient, encoding: str
) -> None:
    body = json.dumps({"pain_score": 1}).encode(encoding)
    response = content_client.post(
        EVALUATE, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert response.json()["code"] == "malformed_json"


@pytest.mark.parametrize("body", [b"]" * 1_000_000, b"{}]", b'{"a": 1}}'])
def test_a_bracket_that_closes_nothing_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        measured(body)


def test_the_inside_of_a_string_is_not_counted(device: Device) -> None:
    for note in (",[{" * 160, '"' * 400, "\\" * 400, '\\"[' * 120):
        assert device.post_session(device.session(note=note)).status_code == 201


def full_session(device: Device) -> Json:
    item = dict.fromkeys(SessionItem.model_fields) | {
        "activity_id": "toe-curls",
        "kind": "exercise",
        "skipped": False,
    }
    return dict.fromkeys(NewSession.model_fields) | device.session(items=[item] * 100)


def test_the_largest_legitimate_bodies_are_accepted(device: Device) -> None:
    batch = {"device_time": "2026-11-22T10:00:00Z", "sessions": [full_session(device)] * MAX_ITEMS}
    known = {"kind": "session", "id": str(uuid.uuid4()), "content_hash": "0" * 64}
    reconciliation = {"items": [known] * MAX_KNOWN}
    assert measured(json.dumps(batch).encode(), MAX_BATCH_VALUES) > 0.9 * MAX_BATCH_VALUES
    assert measured(json.dumps(reconciliation).encode()) > 0.75 * MAX_VALUES
    response = device.client.post("/v1/reconcile", json=reconciliation, headers=device.headers)
    assert response.status_code == 200


HOSTILE: list[Callable[[int], bytes]] = [
    lambda size: b'"' * size,
    lambda size: b'["' + b"\\" * size + b'"]',
    lambda size: b'["' + b'\\"' * (size // 2) + b'"]',
    lambda size: b"]" * size,
    lambda size: b"[]," * (size // 3),
    lambda size: b'{"a":1,' * (size // 7),
    lambda size: b'["' + b"," * size + b'"]',
]


@pytest.mark.parametrize("make", HOSTILE)
def test_to_measure_a_hostile_body_takes_no_more_than_in_proportion(
    make: Callable[[int], bytes],
) -> None:
    def seconds(size: int) -> float:
        body = make(size)
        started = time.process_time()
        with contextlib.suppress(Problem):
            measured(body, MAX_BATCH_VALUES)
        return time.process_time() - started

    # Eight times as long; with the square it would take 64 times as long.
    assert seconds(8_000_000) < 24 * seconds(1_000_000) + 0.05


# Faults


def test_validation_stops_once_enough_is_wrong() -> None:
    flood = {"items": [{f"unknown_{number}": 1 for number in range(999)}] * MAX_KNOWN}
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError) as raised:
            Reconciliation.model_validate(flood)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found = raised.value.errors()
    # One record is looked into; each of the others is refused without a look.
    assert len([fault for fault in found if fault["type"] == "extra_forbidden"]) == 50
    assert found[-1]["type"] == "not_checked"
    assert len(found) <= MAX_KNOWN + 60
    assert peak < 16_000_000


def test_fifty_faults_are_listed_and_how_many_more_there_are(device: Device) -> None:
    items = {"items": [{"kind": "session", "id": "nonsense"}] * 70}
    response = device.client.post("/v1/reconcile", json=items, headers=device.headers)
    problem = response.json()
    assert [fault["pointer"] for fault in problem["errors"]] == [
        f"/items/{index}/id" for index in range(50)
    ]
    assert problem["detail"].endswith("; and 67 more")


def test_faults_are_counted_afresh_for_every_request(device: Device) -> None:
    for _ in range(3):
        assert len(device.post_session({"a": 1}).json()["errors"]) < 20
    assert device.post_session(device.session()).status_code == 201


def test_many_faults_in_a_batch_block_no_valid_record(device: Device) -> None:
    bad = [{f"unknown_{number}": 1 for number in range(900)}] * 30
    good = [device.session() for _ in range(3)]
    sessions = [*bad, good[0], device.session(items=[{"no": 1}] * 100), *good[1:]]
    response = device.client.post(BATCH, json={"sessions": sessions}, headers=device.headers)
    receipts = response.json()["receipts"]
    assert [receipt["status"] for receipt in receipts] == [
        *["rejected"] * 30,
        "created",
        "rejected",
        "created",
        "created",
    ]
    assert {receipt["code"] for receipt in receipts[:30]} == {"missing_field"}
    assert receipts[31]["pointer"].startswith("/sessions/31/items/0/")
