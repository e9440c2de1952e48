"""Sends requests with wrk, and reads what it measured."""

import contextlib
import itertools
import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("requests.lua")
WRK_MISSING = "bench needs wrk, which is not installed. On Debian: apt-get install wrk"
SLOWEST_SECONDS = 60
# Each run of wrk makes ids of its own; they start anywhere, because databases may be kept.
_runs = itertools.count(random.SystemRandom().randrange(2**31))


class BenchError(Exception):
    """Something is missing or failed, so that there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Request:
    """The requests of a row. `@ID@` in the body stands for a new id."""

    path: str
    method: str = "GET"
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    # Device tokens, used in turn.
    tokens: Sequence[str] = ()
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests, how many a second, and latencies in seconds."""

    requests: int
    rate: float
    p50: float
    p99: float


def require_wrk() -> None:
    """Raise BenchError if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise BenchError(WRK_MISSING)


@contextlib.contextmanager
def _file(text: str | None) -> Iterator[str]:
    if text is None:
        yield "-"
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="footing-bench-") as file:
        file.write(text)
        file.flush()
        yield file.name


def drive(url: str, request: Request, seconds: float) -> Measured:
    """Send requests for some seconds, or for longer if none is answered in that time.

    Raise BenchError if any of them fails.
    """
    found = _run(url, request, seconds)
    if not found["requests"] and not found["lost"]:
        found = _run(url, request, seconds + SLOWEST_SECONDS)
    if found["failed"] or found["lost"] or not found["requests"]:
        raise BenchError(
            f"{request.method} {request.path}: {found['failed']} of {found['requests']} responses "
            f"were errors, and {found['lost']} connections failed"
        )
    return Measured(
        found["requests"], found["requests"] / found["seconds"], found["p50"], found["p99"]
    )


def _run(url: str, request: Request, seconds: float) -> dict[str, Any]:
    with (
        _file(request.body) as body,
        _file("\n".join(request.tokens) if request.tokens else None) as tokens,
    ):
        headers = [part for pair in request.headers.items() for part in pair]
        # wrk takes whole seconds only.
        duration = f"{max(1, round(seconds))}s"
        command = [
            *("wrk", "--threads", "1", "--connections", str(request.connections)),
            *("--duration", duration, "--timeout", f"{SLOWEST_SECONDS}s", "--script", str(SCRIPT)),
            *(url + request.path, "--", request.method, body, tokens, str(next(_runs)), *headers),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"wrk failed: {done.stderr or done.stdout}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
