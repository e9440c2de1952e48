"""Pages: every entry once, in order, behind an opaque cursor."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.core.errors import InvalidRequest
from api.http.pages import decode_cursor, encode_cursor
from tests.support.device import Device


@settings(max_examples=100, database=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_a_cursor_is_read_back_as_it_was_written(position: list[str]) -> None:
    cursor = encode_cursor(*position)
    assert cursor.isascii()
    assert "=" not in cursor
    assert decode_cursor(cursor, len(position)) == position


@settings(max_examples=150, database=None)
@given(st.text(max_size=60))
def test_an_invalid_cursor_is_rejected(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_cursor(cursor, 2)
    assert refused.value.faults[0].pointer == "/query/cursor"


def written(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "value", [None, {}, "a", 1, [], ["a"], ["a", 1], ["a", None], ["a", "b", "c"], [["a"], "b"]]
)
def test_a_cursor_of_another_shape_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(written(value), 2)


@pytest.mark.parametrize("path", ["/v1/exercises", "/v1/warnings", "/v1/sources", "/v1/routines"])
def test_content_in_pages_is_the_whole_list_in_its_order(
    content_client: TestClient, path: str
) -> None:
    whole = content_client.get(path, params={"limit": 200}).json()
    assert whole["next_cursor"] is None
    seen: list[Any] = []
    cursor = None
    for _ in range(100):
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = content_client.get(path, params=params).json()
        assert 1 <= len(page["items"]) <= 2
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole["items"]


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("0", "greater_than_equal"),
        ("201", "less_than_equal"),
        ("-1", "greater_than_equal"),
        ("many", "int_parsing"),
        ("1.5", "int_parsing"),
        ("", "int_parsing"),
    ],
)
def test_a_limit_out_of_bounds_is_named(content_client: TestClient, limit: str, code: str) -> None:
    response = content_client.get("/v1/exercises", params={"limit": limit})
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/query/limit", code)


@pytest.mark.parametrize(
    "cursor", ["x", "!!!!", "e30", written(["nowhere"]), "x" * 513, written(["toe-curls", "b"])]
)
def test_a_cursor_that_cant_be_read_is_named(content_client: TestClient, cursor: str) -> None:
    response = content_client.get("/v1/exercises", params={"cursor": cursor})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/cursor"


UUID = "01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"


@pytest.mark.parametrize(
    "position",
    [
        ["yesterday", UUID],
        ["2026-11-22T10:00:00", UUID],
        ["2026-11-22T10:00:00+00:00", "7"],
        ["0001-01-01T00:00:00+23:59", UUID],
        ["9999-12-31T23:59:59-23:59", UUID],
    ],
)
def test_a_cursor_into_nowhere_is_named_by_the_journal_too(
    device: Device, position: list[str]
) -> None:
    for path in ("/v1/sessions", "/v1/symptom-reports"):
        response = device.get(path, cursor=written(position))
        assert response.status_code == 422, position
        assert response.json()["errors"][0]["code"] == "invalid_cursor"
