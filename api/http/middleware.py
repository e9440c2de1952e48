"""What happens to every request: an id, one log line, headers, HEAD, and no bare 500."""

import random
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.core.errors import BodyTooLarge, Problem, UnsupportedMediaType
from api.core.logging import ACCESS
from api.http.context import context_of
from api.http.json_limits import BodyLimits, JsonMeter
from api.http.problems import BodyRefused, from_exception, problem_response
from api.http.response_cache import (
    METHODS,
    CacheKey,
    RawHeaders,
    ResponseCache,
    Responses,
    add,
    cache_key,
)

REQUEST_ID = b"x-request-id"
WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
ARRIVED = "footing.arrived"
METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}
# Defaults, unless the response sets them itself.
ALWAYS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]


def has_foreign_body(method: str, headers: Headers) -> bool:
    """Return whether a request has a body of another media type than JSON."""
    if method not in METHODS_WITH_BODY:
        return False
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type != "application/json"


def is_compressed(method: str, headers: Headers) -> bool:
    """Return whether a request has a compressed body."""
    if method not in METHODS_WITH_BODY:
        return False
    encodings = ",".join(headers.getlist("content-encoding")).split(",")
    return any(encoding.strip().lower() not in {"", "identity"} for encoding in encodings)


def body_problem(method: str, headers: Headers, max_body_bytes: int) -> Problem | None:
    """Return the error of a body that can be rejected by its headers alone."""
    if has_foreign_body(method, headers):
        return UnsupportedMediaType("Send the body as application/json.")
    if is_compressed(method, headers):
        message = "Send the body as it is, without a Content-Encoding."
        return UnsupportedMediaType(message, headers={"Accept-Encoding": "identity"})
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_body_bytes:
        return too_large(max_body_bytes)
    return None


def too_large(max_body_bytes: int) -> BodyTooLarge:
    """Return the error that names the limit of a body."""
    return BodyTooLarge(f"The body is larger than {max_body_bytes} bytes.")


def limited(receive: Receive, limits: BodyLimits) -> Receive:
    """Measure a body as it arrives: one that is sent in chunks does not announce its length.

    Starlette has a limit of bytes, but responds in plain text and before any other middleware.
    """
    received = 0
    meter = JsonMeter(limits.max_values)

    async def receive_measured() -> Message:
        nonlocal received
        message = await receive()
        body: bytes = message.get("body", b"")
        received += len(body)
        if received > limits.max_bytes:
            raise BodyRefused(too_large(limits.max_bytes))
        try:
            meter.feed(body)
        except Problem as problem:
            raise BodyRefused(problem) from None
        return message

    return receive_measured


def protected(headers: RawHeaders, status: int) -> RawHeaders:
    """Return a response's headers with the common ones added, except the request id."""
    sent = {name for name, _ in headers}
    added = [pair for pair in ALWAYS if pair[0] not in sent]
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and b"connection" not in sent:
        # The rest of the request is not worth reading.
        added.append((b"connection", b"close"))
    if status == HTTPStatus.NO_CONTENT:
        # An empty response has no media type.
        headers = [pair for pair in headers if pair[0] != b"content-type"]
    return [*headers, *added]


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the id that a client gave its request, if it is well formed, or else a new one."""
    for name, value in headers:
        if name == REQUEST_ID:
            if WELL_FORMED_ID.fullmatch(value):
                return value
            break
    return b"%032x" % random.getrandbits(128)  # it identifies a request and proves nothing


@dataclass(slots=True)
class Arrived:
    """A request that the app handles: its start, its id, and where to cache its response."""

    started: float
    id: bytes
    cache: Responses | None = None
    key: CacheKey | None = None

    def cache_response(
        self, route: object, status: int, headers: RawHeaders, message: Message
    ) -> None:
        """Cache the response if that is allowed and its body is a single message."""
        cache, self.cache = self.cache, None
        if cache is not None and self.key is not None and not message.get("more_body", False):
            add(cache, self.key, route, status, headers, message.get("body", b""))


class CacheMiddleware:
    """The outermost layer: sends cached responses before FastAPI's own layers run."""

    def __init__(self, app: ASGIApp, cache: ResponseCache) -> None:
        self.app = app
        self.cache = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a cached response, or let the app make one."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        method, headers = scope["method"], scope["headers"]
        request_id = request_id_of(headers)
        if method not in METHODS:
            scope[ARRIVED] = Arrived(started, request_id)
            await self.app(scope, receive, send)
            return
        responses = self.cache.current()
        key = cache_key(scope["path"], scope["query_string"], headers)
        cached = responses.get(key)
        if cached is None:
            scope[ARRIVED] = Arrived(started, request_id, responses, key)
            await self.app(scope, receive, send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": cached.status,
                "headers": [*cached.headers, (REQUEST_ID, request_id)],
            }
        )
        body = cached.body if method == "GET" else b""
        await send({"type": "http.response.body", "body": body})
        seconds = time.perf_counter() - started
        ACCESS.line(method, cached.route, cached.status, seconds, request_id.decode())


class RequestMiddleware:
    """The first layer for requests that are not cached, and the last for their responses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived: Arrived = scope[ARRIVED]
        method, request_id = scope["method"], arrived.id.decode()
        inner: dict[str, Any] = dict(scope)
        inner["state"] = {**scope.get("state", {}), "request_id": request_id}
        if method == "HEAD":
            inner["method"] = "GET"
        body_limits = context_of(scope).body_limits
        limits = body_limits.get(scope["path"], body_limits[""])
        status = 0
        sent: RawHeaders = []

        async def send_with_headers(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status, sent = message["status"], protected(message["headers"], message["status"])
                message = {**message, "headers": [*sent, (REQUEST_ID, arrived.id)]}
            else:
                arrived.cache_response(inner.get("route"), status, sent, message)
                if method == "HEAD":
                    message = {**message, "body": b""}
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            refused = body_problem(method, Headers(scope=scope), limits.max_bytes)
            if refused is None:
                await self.app(inner, limited(receive, limits), send_with_headers)
            else:
                await problem_response(inner, refused)(inner, receive, send_with_headers)
        except Exception as raised:  # whatever the error is, the response is a problem document
            if status:
                raise
            response = problem_response(inner, from_exception(raised))
            await response(inner, receive, send_with_headers)
        finally:
            route = getattr(inner.get("route"), "path", None)
            seconds = time.perf_counter() - arrived.started
            ACCESS.line(method, route, status, seconds, request_id)
