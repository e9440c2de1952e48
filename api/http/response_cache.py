"""A cache of whole responses: requests for the same content get the same bytes.

The response of a `ReleaseRoute` depends only on the release, the URL and the headers in KEYED. The
first request passes through middleware, routing, validation and the handler. The final response is
cached, and sent to later requests of the same kind.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.routing import APIRoute

RawHeaders = list[tuple[bytes, bytes]]
# The path, the query, and the headers in KEYED, unparsed.
CacheKey = tuple[str, bytes, tuple[tuple[bytes, bytes], ...]]
KEYED = frozenset({b"accept-language", b"accept-encoding", b"if-none-match", b"origin"})
METHODS = frozenset({"GET", "HEAD"})
STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.NOT_MODIFIED})
MAX_CACHED = 1024
# Browsers and apps send far less; longer ones are never cached.
LONGEST_KEY = 512


class ReleaseRoute(APIRoute):
    """A route whose responses depend only on the release, the URL and the headers in KEYED."""


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A complete response, except for the request id."""

    status: int
    headers: RawHeaders
    body: bytes
    # The template of its route, for the log.
    route: str


Responses = dict[CacheKey, CachedResponse]


def cache_key(path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> CacheKey:
    """Return what the response of a ReleaseRoute depends on besides the release."""
    return path, query, tuple([pair for pair in headers if pair[0] in KEYED])


class ResponseCache:
    """The cached responses of the served release; a new release starts with an empty cache.

    Clients can vary requests without limit, so only the newest MAX_CACHED responses are cached.
    Most bodies are those of the release itself.
    """

    def __init__(self, release: Callable[[], object]) -> None:
        self._release = release
        self._cached_of: object = None
        self._responses: Responses = {}

    def current(self) -> Responses:
        """Return the cache of the served release.

        A request adds its response to the cache it got here before it was handled. If another
        release becomes active in between, that cache is no longer used.
        """
        release = self._release()
        if release is not self._cached_of:
            self._cached_of, self._responses = release, {}
        return self._responses


def add(
    responses: Responses,
    key: CacheKey,
    route: object,
    status: int,
    headers: RawHeaders,
    body: bytes,
) -> None:
    """Cache a response, if its route and status allow that."""
    if not isinstance(route, ReleaseRoute) or status not in STATUSES:
        return
    path, query, keyed = key
    if len(path) + len(query) + sum(len(value) for _, value in keyed) > LONGEST_KEY:
        return
    if len(responses) >= MAX_CACHED:
        responses.pop(next(iter(responses)))
    responses[key] = CachedResponse(status, headers, body, route.path)
