"""Rate limits: how often a client may call, announced in headers."""

import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import Depends, Request, Response
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from api.core.config import Settings, open_rate_storage
from api.core.errors import Problem, RateLimited, WrongTokenKind

# How long a Redis that did not answer is left alone.
AWAY_SECONDS = 5
# No proof, or that of somebody who was erased.
FAILED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE}

log = structlog.get_logger(__name__)


def proves_nothing(problem: Problem) -> bool:
    """Tell whether a call is refused for what it brings as a proof of who is calling."""
    return problem.status in FAILED or isinstance(problem, WrongTokenKind)


class Limiter:
    """Counts calls in memory (one worker) or in Redis (several).

    While Redis is away every worker counts for itself: no one who needs advice to seek help is
    refused because a counter can't be reached, and a phone in a loop is still slowed down.
    """

    def __init__(self, settings: Settings) -> None:
        self.own = FixedWindowRateLimiter(MemoryStorage())
        self.shared = FixedWindowRateLimiter(open_rate_storage(settings.rate_limit_storage))
        self.shared_from = time.monotonic()
        self.enrolment = parse(settings.rate_limit_enrolment)
        self.public = parse(settings.rate_limit_public)
        self.participant = parse(settings.rate_limit_participant)
        self.clinician = parse(settings.rate_limit_clinician)

    async def hit(
        self, item: RateLimitItem, name: str, caller: str, *, shared: bool = False
    ) -> dict[str, str]:
        """Count one call; return the headers that say what is left, or refuse it.

        Of a budget that strangers share, only the limit is announced: the rest would show how
        many of the others behind the same address did the same.
        """
        headers = await self._count(item, name, caller)
        if shared:
            del headers["RateLimit"]
        return headers

    async def _count(self, item: RateLimitItem, name: str, caller: str) -> dict[str, str]:
        if time.monotonic() >= self.shared_from:
            try:
                return await _hit(self.shared, item, name, caller)
            except StorageError as error:
                self.shared_from = time.monotonic() + AWAY_SECONDS
                reason = type(error.storage_error).__name__
                log.warning("rate-limit storage unavailable; counting per worker", reason=reason)
        return await _hit(self.own, item, name, caller)


async def _hit(
    strategy: FixedWindowRateLimiter, item: RateLimitItem, name: str, caller: str
) -> dict[str, str]:
    admitted = await strategy.hit(item, name, caller)
    window = await strategy.get_window_stats(item, name, caller)
    wait = max(1, int(window.reset_time - time.time()) + 1)
    headers = {
        "RateLimit-Policy": f'"{name}";q={item.amount};w={item.get_expiry()}',
        "RateLimit": f'"{name}";r={window.remaining};t={wait}',
    }
    if not admitted:
        raise RateLimited(
            f"Too many calls; try again in {wait} seconds.",
            headers={**headers, "Retry-After": str(wait)},
        )
    return headers


def caller_address(request: Request) -> str:
    """Name the caller of a call without a token by its network address.

    Whoever has one address of IPv6 has 2**64 of them: a network of that size counts as one.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))


@contextlib.asynccontextmanager
async def counting_failures(
    request: Request, item: RateLimitItem, name: str
) -> AsyncIterator[None]:
    """Count by network address who fails to prove who they are, and slow them down.

    Whoever does prove it is let in, whatever others behind the same address do: a hospital has one.
    And nobody is charged for a call in whose token their name merely stands.
    """
    try:
        yield
    except Problem as refused:
        if proves_nothing(refused):
            limiter: Limiter = request.app.state.limiter
            headers = await limiter.hit(item, name, caller_address(request), shared=True)
            refused.headers.update(headers)
        raise


async def count_public(request: Request) -> dict[str, str]:
    """Count a call that computes something and needs no token, by address; refuse one too many."""
    limiter: Limiter = request.app.state.limiter
    return await limiter.hit(limiter.public, "public", caller_address(request))


async def limit_public(request: Request, response: Response) -> None:
    """Limit calls that compute something and need no token, by address."""
    response.headers.update(await count_public(request))


async def limit_enrolment(request: Request, response: Response) -> None:
    """Limit enrolments, by address."""
    limiter: Limiter = request.app.state.limiter
    address = caller_address(request)
    headers = await limiter.hit(limiter.enrolment, "enrolment", address, shared=True)
    response.headers.update(headers)


PublicLimit = Annotated[None, Depends(limit_public)]
EnrolmentLimit = Annotated[None, Depends(limit_enrolment)]
