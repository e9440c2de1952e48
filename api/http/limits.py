"""Rate limits: who may call how often, told in headers before it hurts."""

import time
from typing import Annotated

import structlog
from fastapi import Depends, Request, Response
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from api.core.config import Settings, open_rate_storage
from api.core.errors import RateLimited

# How long a Redis that did not answer is left alone.
AWAY_SECONDS = 5

log = structlog.get_logger(__name__)


class Limiter:
    """Counts calls in memory (one worker) or in Redis (several).

    While Redis is away every worker counts for itself: nobody who has to be told to seek help is
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

    async def hit(self, item: RateLimitItem, name: str, caller: str) -> dict[str, str]:
        """Count one call; return the headers that say what is left, or refuse it."""
        if time.monotonic() >= self.shared_from:
            try:
                return await _hit(self.shared, item, name, caller)
            except StorageError as error:
                self.shared_from = time.monotonic() + AWAY_SECONDS
                reason = type(error.storage_error).__name__
                log.warning("calls are counted by this worker for itself", reason=reason)
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
    """Name the caller of a call without a token by its network address."""
    return request.client.host if request.client else "unknown"


async def limit_public(request: Request, response: Response) -> None:
    """Limit calls that compute something and need no token, by address."""
    limiter: Limiter = request.app.state.limiter
    headers = await limiter.hit(limiter.public, "public", caller_address(request))
    response.headers.update(headers)


async def limit_enrolment(request: Request, response: Response) -> None:
    """Limit enrolments, by address."""
    limiter: Limiter = request.app.state.limiter
    headers = await limiter.hit(limiter.enrolment, "enrolment", caller_address(request))
    response.headers.update(headers)


async def limit_clinician(request: Request, response: Response) -> None:
    """Limit clinicians' calls, by address: before anything is looked up or verified."""
    limiter: Limiter = request.app.state.limiter
    headers = await limiter.hit(limiter.clinician, "clinician", caller_address(request))
    response.headers.update(headers)


PublicLimit = Annotated[None, Depends(limit_public)]
EnrolmentLimit = Annotated[None, Depends(limit_enrolment)]
ClinicianLimit = Annotated[None, Depends(limit_clinician)]
