"""A cache of whole responses: everyone who asks for the same content gets the same bytes.

The response of a `ReleaseRoute` depends on nothing but the release, the address and the headers in
KEYED. The first request for it takes the whole way, through middleware, routing, validation and the
handler. What leaves the app then is cached, and sent whenever the same is asked for again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.routing import APIRoute

RawHeaders = list[tuple[bytes, bytes]]
# The path, the query, and the headers in KEYED as they were sent.
CacheKey = tuple[str, bytes, tuple[tuple[bytes, bytes], ...]]
KEYED = frozenset({b"accept-language", b"accept-encoding", b"if-none-match", b"origin"})
METHODS = frozenset({"GET", "HEAD"})
STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.NOT_MODIFIED})
MAX_CACHED = 1024
# Browsers and apps send far less; what is longer takes the whole way every time.
LONGEST_KEY = 512


class ReleaseRoute(APIRoute):
    """A route whose responses depend on the release, the address and the headers in KEYED alone."""


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response as it leaves the app, but for the id of its request."""

    status: int
    headers: RawHeaders
    body: bytes
    # The template of its route, for the log.
    route: str


Responses = dict[CacheKey, CachedResponse]


def cache_key(path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> CacheKey:
    """Return everything that the response of a ReleaseRoute depends on besides the release."""
    return path, query, tuple([pair for pair in headers if pair[0] in KEYED])


class ResponseCache:
    """The cached responses of the release that an app serves; another release starts without any.

    Clients can ask in any number of ways, of which the newest MAX_CACHED are cached. Most bodies
    are those that the release holds anyway.
    """

    def __init__(self, release: Callable[[], object]) -> None:
        self._release = release
        self._cached_of: object = None
        self._responses: Responses = {}

    def current(self) -> Responses:
        """Return the responses of the release that is served now.

        A request adds its response to what it got here before it was handled. If another release
        becomes active in between, no request looks there again.
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
    """Cache a response, if its route and its status allow that."""
    if not isinstance(route, ReleaseRoute) or status not in STATUSES:
        return
    path, query, keyed = key
    if len(path) + len(query) + sum(len(value) for _, value in keyed) > LONGEST_KEY:
        return
    if len(responses) >= MAX_CACHED:
        responses.pop(next(iter(responses)))
    responses[key] = CachedResponse(status, headers, body, route.path)
