"""What a connection may cost: a real server, raw sockets, and clients that behave badly."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support import databases
from tests.support.device import CONSENT_VERSION, Device
from tests.support.server import Server, running_server
from tests.support.waiting import PATIENCE_SECONDS, wait_until

TIMEOUT_SECONDS = 1.0
MAX_CONNECTIONS = 12
SETTINGS = {
    "header_timeout_seconds": str(TIMEOUT_SECONDS),
    "body_timeout_seconds": str(TIMEOUT_SECONDS),
    "send_timeout_seconds": str(TIMEOUT_SECONDS),
    "max_connections": str(MAX_CONNECTIONS),
    "rate_limit_public": "10000/minute",
}
EVALUATE = (
    b"POST /v1/triage/evaluations HTTP/1.1\r\nHost: footing\r\nContent-Type: application/json\r\n"
)
CHUNKED = EVALUATE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: footing\r\n"


@pytest.fixture(scope="module")
def server(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("wire")
    with (
        databases.fresh_database("sqlite", templates, folder) as url,
        running_server(url, folder, **SETTINGS) as server,
    ):
        yield server
        # Whatever clients do, nothing here is a fault of ours.
        assert "error" not in {json.loads(row)["level"] for row in server.log.splitlines()}


@pytest.fixture
def dial(server: Server) -> Iterator[Callable[..., socket.socket]]:
    """Open connections that are gone when the test is."""
    with contextlib.ExitStack() as stack:

        def open_one(*, small: bool = False) -> socket.socket:
            address = urlsplit(server.url)
            line = stack.enter_context(socket.socket())
            if small:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.settimeout(PATIENCE_SECONDS)
            line.connect((address.hostname, address.port))
            return line

        yield open_one
    wait_until(lambda: connections_of(server) == 0)


def connections_of(server: Server) -> int:
    """Count the sockets of the process that are connected."""
    found = set()
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    rows = Path(f"/proc/{server.process.pid}/net/tcp").read_text("ascii").splitlines()[1:]
    states = {f"socket:[{row.split()[9]}]": row.split()[3] for row in rows}
    listening = "0A"
    return sum(states.get(name, listening) != listening for name in found)


def everything(line: socket.socket) -> bytes:
    """Read until the server closes."""
    received = bytearray()
    while data := line.recv(65536):
        received += data
    return bytes(received)


def answer(received: bytes) -> tuple[int, dict[str, str], Any]:
    """Take an answer apart."""
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, json.loads(body) if body else None


def assert_refused(received: bytes, status: int, code: str) -> dict[str, str]:
    found, headers, problem = answer(received)
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["request_id"] == headers["x-request-id"]
    if status != 413:  # which the app answers; nothing else here knows the endpoint
        assert (problem["decision"], problem["instance"]) == (None, "")
    assert "server" not in headers
    return headers


def evaluate(content: bytes) -> bytes:
    return EVALUATE + b"Content-Length: %d\r\n\r\n" % len(content) + content


def healthy(line: socket.socket) -> bool:
    """Ask for the server's health, and read the whole answer."""
    line.sendall(HEALTH + b"\r\n")
    received = b""
    while not received.endswith(b'{"status":"ok"}'):
        data = line.recv(65536)
        assert data, received
        received += data
    return received.startswith(b"HTTP/1.1 200 ")


Dial = Callable[..., socket.socket]


# Time


@pytest.mark.parametrize("sent", [b"G", HEALTH, HEALTH + b"X-A: ", b"\r\n"])
def test_headers_that_stop_arriving_are_given_up(dial: Dial, sent: bytes) -> None:
    line = dial()
    line.sendall(sent)
    assert_refused(everything(line), 408, "request_timeout")


def test_headers_that_drip_are_given_up_as_well(dial: Dial) -> None:
    line = dial()
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        for byte in HEALTH + b"X-Slow: " + b"x" * 1000:
            line.sendall(bytes([byte]))
            time.sleep(0.02)
            if time.monotonic() - started > 3 * TIMEOUT_SECONDS:
                break
    assert_refused(everything(line), 408, "request_timeout")


def test_a_connection_that_says_nothing_is_closed_without_a_word(dial: Dial) -> None:
    assert everything(dial()) == b""


def test_a_second_request_has_the_same_time_as_the_first(dial: Dial) -> None:
    line = dial()
    assert healthy(line)
    line.sendall(HEALTH)
    assert_refused(everything(line), 408, "request_timeout")


@pytest.mark.parametrize(
    "start",
    [
        EVALUATE + b"Content-Length: 100\r\n\r\n",
        EVALUATE + b'Content-Length: 100\r\n\r\n{"pain_score": ',
        EVALUATE + b"Transfer-Encoding: chunked\r\n\r\n",
        EVALUATE + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n",
        EVALUATE + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    ],
)
def test_a_body_that_stops_arriving_is_given_up(dial: Dial, start: bytes) -> None:
    line = dial()
    line.sendall(start)
    received = everything(line)
    assert_refused(received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"), 408, "request_timeout")


def test_a_body_that_is_slow_but_steady_is_taken(dial: Dial) -> None:
    line = dial()
    content = b'{"pain_score": 3}'
    line.sendall(EVALUATE + b"Content-Length: %d\r\n\r\n" % len(content))
    started = time.monotonic()
    for byte in content:
        line.sendall(bytes([byte]))
        time.sleep(TIMEOUT_SECONDS / 15)
    assert time.monotonic() - started > TIMEOUT_SECONDS
    assert line.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_others_are_served_while_some_are_slow(dial: Dial, server: Server) -> None:
    for start in (b"GET /", HEALTH, EVALUATE + b"Content-Length: 9\r\n\r\n{") * 3:
        dial().sendall(start)
    assert httpx.post(f"{server.url}/v1/triage/evaluations", json={}).status_code == 200


def test_an_answer_that_is_never_taken_ends_with_its_connection(dial: Dial, server: Server) -> None:
    line = dial(small=True)
    vectors = b"GET /v1/triage/vectors HTTP/1.1\r\nHost: footing\r\n\r\n"
    line.sendall(vectors * 20)
    wait_until(lambda: connections_of(server) == 1)
    # Nothing is read here, and the server still lets go.
    wait_until(lambda: connections_of(server) == 0)


def test_requests_sent_ahead_are_answered_in_their_order(dial: Dial) -> None:
    line = dial()
    line.sendall(
        HEALTH + b"X-Request-ID: the-first-one\r\n\r\n"
        + evaluate(b"{}").replace(b"Host", b"X-Request-ID: the-second-one\r\nHost")
        + HEALTH + b"X-Request-ID: the-third-one\r\nConnection: close\r\n\r\n"
    )  # fmt: skip
    received = everything(line)
    places = [received.find(b"the-%s-one" % which) for which in (b"first", b"second", b"third")]
    assert received.count(b"HTTP/1.1 200 ") == 3
    assert 0 < places[0] < places[1] < places[2]


# Size


@pytest.mark.parametrize(
    "head",
    [
        HEALTH + b"X-A: " + b"x" * 33_000 + b"\r\n\r\n",
        HEALTH + b"X-A: " + b"x" * 1_000_000,
        HEALTH + b"".join(b"X-%d: x\r\n" % number for number in range(4000)) + b"\r\n",
        b"GET /healthz?" + b"x" * 33_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 1_000_000,
        CHUNKED + b"0\r\n" + b"".join(b"X-%d: x\r\n" % number for number in range(4000)),
        CHUNKED + b"0\r\nX-A: " + b"x" * 1_000_000,
        CHUNKED + b"2;" + b"x" * 1_000_000,
    ],
    ids=[
        *("one", "endless", "many", "query", "endless path"),
        *("many trailers", "endless trailer", "endless chunk extension"),
    ],
)
def test_headers_that_are_too_large_are_refused_and_end_the_connection(
    dial: Dial, head: bytes
) -> None:
    line = dial()
    line.sendall(head)
    assert_refused(everything(line), 431, "headers_too_large")


def test_a_second_request_is_measured_like_the_first(dial: Dial) -> None:
    large = HEALTH + b"X-A: " + b"x" * 40_000 + b"\r\n\r\n"
    line = dial()
    assert healthy(line)
    line.sendall(large)
    assert_refused(everything(line), 431, "headers_too_large")
    # Sent ahead: the first one is answered, and the connection ends with that.
    line = dial()
    line.sendall(HEALTH + b"\r\n" + large)
    status, _, _ = answer(everything(line))
    assert status == 200


def test_headers_of_32_kilobytes_are_taken(server: Server) -> None:
    headers = {f"X-{number}": "x" * 1000 for number in range(31)}
    assert httpx.get(f"{server.url}/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_is_still_sending_learns_why_its_body_is_refused(
    server: Server, *, chunked: bool
) -> None:
    piece = b" " * 65536

    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield piece

    content: Any = pieces() if chunked else piece * 200
    headers = {"Content-Type": "application/json"}
    with httpx.Client(base_url=server.url) as client:
        response = client.post("/v1/triage/evaluations", content=content, headers=headers)
        assert response.status_code == 413
        assert response.json()["code"] == "body_too_large"
        assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b" " * 2_000_000, "body_too_large"), (b"[" * 100, "body_too_complex")],
)
def test_after_413_the_connection_is_closed(dial: Dial, content: bytes, code: str) -> None:
    line = dial()
    line.sendall(evaluate(content))
    assert_refused(everything(line), 413, code)


def test_what_is_not_http_is_refused(dial: Dial) -> None:
    line = dial()
    line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert_refused(everything(line), 400, "malformed_http")


def test_only_new_connections_over_the_limit_are_rejected(dial: Dial, server: Server) -> None:
    lines = [dial() for _ in range(MAX_CONNECTIONS)]
    for line in lines:
        assert healthy(line)
    newcomer = dial()
    headers = assert_refused(everything(newcomer), 503, "unavailable")
    assert int(headers["retry-after"]) >= 1
    assert healthy(lines[0])
    for line in lines:
        line.close()
    wait_until(lambda: connections_of(server) == 0)
    assert httpx.get(f"{server.url}/healthz").status_code == 200


# Cost


def cpu_seconds(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(server: Server, name: str) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


@pytest.mark.parametrize(
    ("path", "keys"), [("/v1/triage/evaluations", 94_000), ("/v1/batches", 690_000)]
)
def test_a_flood_of_keys_costs_next_to_nothing(server: Server, path: str, keys: int) -> None:
    enrolment = {
        "time_zone": "Europe/Madrid",
        "language": "en",
        "consent": {"version": CONSENT_VERSION, "storage": True, "research": False},
    }
    with httpx.Client(base_url=server.url) as client:
        device = Device(client)
        device.token = client.post("/v1/participants", json=enrolment).json()["device_token"]
        body = {f"k{number}": 1 for number in range(keys)}
        Path(f"/proc/{server.process.pid}/clear_refs").write_text("5", "ascii")
        cpu, memory = cpu_seconds(server), megabytes(server, "VmRSS")
        response = client.post(path, json=body, headers=device.headers)
        assert response.status_code == 413
        assert response.json()["code"] == "body_too_complex"
        assert cpu_seconds(server) - cpu < 0.3
        assert megabytes(server, "VmHWM") - memory < 64
