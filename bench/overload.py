"""Offers requests at a rate, whether or not they are answered: wrk waits for each response."""

import asyncio
import itertools
import statistics
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from bench.load import BenchError, Request


@dataclass(slots=True)
class Offered:
    """Seconds until each response, from the moment at which its request was due."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    # Refusals without a Retry-After.
    abrupt: int = 0


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile, 0 without values."""
    if len(values) < 2:  # noqa: PLR2004  # statistics needs two
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def encoded(request: Request, host: str, number: int) -> bytes:
    """Write a request; it is the only one on its connection."""
    body = (request.body or "").replace("@ID@", str(uuid.uuid4())).encode()
    headers = {
        "Host": host,
        "Connection": "close",
        "Content-Length": str(len(body)),
        **request.headers,
    }
    if request.tokens:
        headers["Authorization"] = f"Bearer {request.tokens[number % len(request.tokens)]}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.method} {request.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _one(url: str, request: Request, number: int, due: float, offered: Offered) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(encoded(request, address.netloc, number))
        head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = int(head.split(b" ", 2)[1])
    seconds = time.perf_counter() - due
    if status < HTTPStatus.BAD_REQUEST:
        offered.accepted.append(seconds)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        offered.refused.append(seconds)
        offered.abrupt += b"retry-after:" not in head.lower()
    else:
        raise BenchError(f"{request.method} {request.path} was answered with {status}")


async def _offer(url: str, request: Request, rate: float, seconds: float) -> Offered:
    offered = Offered()
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in itertools.count():
            due = started + number / rate
            if due > started + seconds:
                return offered
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(_one(url, request, number, due, offered))
    return offered


def offer(url: str, request: Request, rate: float, seconds: float) -> Offered:
    """Offer so many requests a second; return what became of them."""
    return asyncio.run(_offer(url, request, rate, seconds))
