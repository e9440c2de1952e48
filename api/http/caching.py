"""A cache for parsed request headers, which no client can fill with megabytes."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

# Browsers and HTTP libraries send far less; longer headers are parsed every time.
LONGEST_KEY = 128
Detail = TypeVar("Detail")
Result = TypeVar("Result")


def cached_if_short(function: Callable[[str, Detail], Result]) -> Callable[[str, Detail], Result]:
    """Cache results for headers of at most LONGEST_KEY characters."""
    cached = lru_cache(maxsize=512)(function)

    def look_up(header: str, detail: Detail) -> Result:
        if len(header) > LONGEST_KEY:
            return function(header, detail)
        return cached(header, detail)

    return look_up
