"""Offers requests at a rate, whether or not they are answered: wrk waits for each response."""

import asyncio
import itertools
import re
import statistics
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.load import BenchError, Request

CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


@dataclass(slots=True)
class Offered:
    """Seconds until each response, from the moment at which its request was sent."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    # Refusals without a Retry-After.
    abrupt: int = 0
    # By how many seconds a request was sent too late, at most: the client shares its core.
    behind: float = 0.0


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile, 0 without values."""
    if len(values) < 2:  # noqa: PLR2004  # statistics needs two
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def encoded(request: Request, host: str, number: int) -> bytes:
    """Write a request."""
    body = (request.body or "").replace("@ID@", str(uuid.uuid4())).encode()
    headers = {"Host": host, "Content-Length": str(len(body)), **request.headers}
    if request.tokens:
        headers["Authorization"] = f"Bearer {request.tokens[number % len(request.tokens)]}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.method} {request.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """A connection with one request at a time; it is kept for the next one."""

    def __init__(self, idle: "list[_Connection]") -> None:
        self.idle = idle
        self.response: asyncio.Future[bytes] | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what requests are written to."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass a response on once it is complete."""
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]) or self.response is None:
            return
        response, self.response, self.received = self.response, None, b""
        if b"connection: close" in head.lower():
            self.transport.close()
        else:
            self.idle.append(self)
        response.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that waits for a response."""
        if self in self.idle:
            self.idle.remove(self)
        if self.response is not None and not self.response.done():
            self.response.set_exception(exc or ConnectionError("closed without a response"))

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a request; return what will be the head of its response."""
        self.response = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.response


async def _one(
    url: str, request: Request, number: int, idle: list[_Connection], offered: Offered
) -> None:
    address = urlsplit(url)
    sent = time.perf_counter()
    if idle:
        connection = idle.pop()
    else:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(idle), address.hostname or "", address.port or 80
        )
    head = await connection.ask(encoded(request, address.netloc, number))
    status = int(head.split(b" ", 2)[1])
    seconds = time.perf_counter() - sent
    if status < HTTPStatus.BAD_REQUEST:
        offered.accepted.append(seconds)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        offered.refused.append(seconds)
        offered.abrupt += b"retry-after:" not in head.lower()
    else:
        raise BenchError(f"{request.method} {request.path} was answered with {status}")


async def _offer(url: str, request: Request, rate: float, seconds: float) -> Offered:
    offered = Offered()
    idle: list[_Connection] = []
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in itertools.count():
            due = started + number / rate
            if due > started + seconds:
                break
            wait = due - time.perf_counter()
            # In small steps when it is late, so that responses are read meanwhile.
            if wait > 0 or number % 8 == 0:
                await asyncio.sleep(max(0.0, wait))
            offered.behind = max(offered.behind, time.perf_counter() - due)
            tasks.create_task(_one(url, request, number, idle, offered))
    for connection in idle:
        connection.transport.close()
    return offered


def offer(url: str, request: Request, rate: float, seconds: float) -> Offered:
    """Offer so many requests a second; return what became of them."""
    return uvloop.run(_offer(url, request, rate, seconds))
