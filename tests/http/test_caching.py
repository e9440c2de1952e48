"""Caches of what headers mean hold what clients honestly send, and no megabytes of anything."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from api.http.caching import LONGEST_KEY, cached_if_short
from api.http.conditional import choose_encoding, matches
from api.http.languages import negotiate


def test_a_short_header_is_worked_out_once_and_a_long_one_every_time() -> None:
    worked_out = []

    @cached_if_short
    def length(header: str, _: str) -> int:
        worked_out.append(header)
        return len(header)

    short, long = "x" * LONGEST_KEY, "x" * (LONGEST_KEY + 1)
    assert [length(short, ""), length(short, ""), length(long, ""), length(long, "")] == [
        *[LONGEST_KEY] * 2,
        *[LONGEST_KEY + 1] * 2,
    ]
    assert worked_out == [short, long, long]


@pytest.mark.parametrize("work_out", [choose_encoding, matches, negotiate])
def test_a_flood_of_long_headers_leaves_nothing_behind(
    work_out: Callable[[str, Any], object],
) -> None:
    detail: Any = "tag" if work_out is matches else ("en", "gzip")
    work_out("warm", detail)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(15):
            work_out(f"{number}-" + "x" * 30_000, detail)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000
