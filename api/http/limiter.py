"""Counts requests, and rejects those beyond a limit."""

import time

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from api.core.config import Settings, open_rate_storage
from api.core.errors import RateLimited

# How long Redis is not used after it did not respond.
AWAY_SECONDS = 5

log = structlog.get_logger(__name__)


class Limiter:
    """Counts requests in memory (one worker) or in Redis (several).

    While Redis is unavailable every worker counts on its own: no user who needs advice is rejected
    because of it, and a client in a loop is still slowed down.
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
        """Count one request; return the headers with the remaining quota, or raise RateLimited.

        If strangers share the quota, only the limit is returned: the remaining quota would reveal
        how many others behind the same address did the same.
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
            f"Too many requests; try again in {wait} seconds.",
            headers={**headers, "Retry-After": str(wait)},
        )
    return headers
