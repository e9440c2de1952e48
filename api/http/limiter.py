"""Counts requests, and rejects those beyond a limit."""

import time

import structlog
from limits import RateLimitItem, parse
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from api.core.config import MEMORY, Settings, open_rate_storage
from api.core.errors import RateLimited

# How long Redis is not used after it did not respond.
AWAY_SECONDS = 5

log = structlog.get_logger(__name__)


class Windows:
    """Counts in memory, by fixed windows that begin with the first call.

    The storage in memory of `limits` looks through all callers at almost every call.
    """

    def __init__(self) -> None:
        # By the name of what is counted and the caller: when the window ends, and the calls in it.
        # All windows of a name are as long, so that they end in the order in which they began.
        self._windows: dict[str, dict[str, tuple[float, int]]] = {}

    def hit(self, item: RateLimitItem, name: str, caller: str) -> tuple[int, float]:
        """Count one call; return how many there are in its window, and when that ends."""
        now = time.time()
        windows = self._windows.setdefault(name, {})
        while windows and windows[oldest := next(iter(windows))][0] <= now:
            del windows[oldest]
        ends, calls = windows.get(caller, (now + item.get_expiry(), 0))
        windows[caller] = ends, calls + 1
        return calls + 1, ends


class Limiter:
    """Counts requests in memory (one worker) or in Redis (several).

    While Redis is unavailable every worker counts on its own: no user who needs advice is rejected
    because of it, and a client in a loop is still slowed down.
    """

    def __init__(self, settings: Settings) -> None:
        self.own = Windows()
        self.shared = None
        if settings.rate_limit_storage != MEMORY:
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
        calls, ends = await self._count(item, name, caller)
        wait = max(1, int(ends - time.time()) + 1)
        headers = {
            "RateLimit-Policy": f'"{name}";q={item.amount};w={item.get_expiry()}',
            "RateLimit": f'"{name}";r={max(0, item.amount - calls)};t={wait}',
        }
        if calls > item.amount:
            raise RateLimited(
                f"Too many requests; try again in {wait} seconds.",
                headers={**headers, "Retry-After": str(wait)},
            )
        if shared:
            del headers["RateLimit"]
        return headers

    async def _count(self, item: RateLimitItem, name: str, caller: str) -> tuple[int, float]:
        if self.shared is not None and time.monotonic() >= self.shared_from:
            try:
                return await _hit(self.shared, item, name, caller)
            except StorageError as error:
                self.shared_from = time.monotonic() + AWAY_SECONDS
                reason = type(error.storage_error).__name__
                log.warning("rate-limit storage unavailable; counting per worker", reason=reason)
        return self.own.hit(item, name, caller)


async def _hit(
    strategy: FixedWindowRateLimiter, item: RateLimitItem, name: str, caller: str
) -> tuple[int, float]:
    admitted = await strategy.hit(item, name, caller)
    window = await strategy.get_window_stats(item, name, caller)
    left = window.remaining if admitted else -1
    return item.amount - left, window.reset_time
