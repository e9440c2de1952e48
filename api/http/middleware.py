"""What happens to every request: an id, one log line, headers, HEAD, and no bare 500."""

import re
import time
import uuid
from http import HTTPStatus
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.core.errors import BodyTooLarge, Problem, UnsupportedMediaType
from api.http.context import context_of
from api.http.json_limits import BodyLimits, JsonMeter
from api.http.problems import BodyRefused, from_exception, problem_response

WELL_FORMED_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}
SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)

log = structlog.get_logger("footing.access")


def has_foreign_body(method: str, headers: Headers) -> bool:
    """Tell whether a request brings a body of another media type than JSON."""
    if method not in METHODS_WITH_BODY:
        return False
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type != "application/json"


def is_compressed(method: str, headers: Headers) -> bool:
    """Tell whether a request brings a body that would have to be unpacked."""
    if method not in METHODS_WITH_BODY:
        return False
    codings = ",".join(headers.getlist("content-encoding")).split(",")
    return any(coding.strip().lower() not in {"", "identity"} for coding in codings)


def body_problem(method: str, headers: Headers, max_body_bytes: int) -> Problem | None:
    """Tell by its headers alone whether a body can't be taken."""
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
    """Say how much a body may be."""
    return BodyTooLarge(f"The body is larger than {max_body_bytes} bytes.")


def limited(receive: Receive, limits: BodyLimits) -> Receive:
    """Measure a body as it arrives: one sent in chunks tells no length before.

    Starlette has a limit of bytes, but answers in plain text and before any other middleware.
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


def protect(outgoing: MutableHeaders, status: int, request_id: str) -> None:
    """Add what every answer carries."""
    outgoing["X-Request-ID"] = request_id
    for name, value in SECURITY_HEADERS:
        outgoing.setdefault(name, value)
    outgoing.setdefault("Cache-Control", "no-store")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # What is still to come of the request is not worth reading.
        outgoing["Connection"] = "close"
    if status == HTTPStatus.NO_CONTENT:
        # Of nothing there is no type.
        del outgoing["Content-Type"]


class RequestMiddleware:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if WELL_FORMED_ID.match(given) else uuid.uuid4().hex
        method = scope["method"]
        inner: dict[str, Any] = dict(scope)
        inner["state"] = {**scope.get("state", {}), "request_id": request_id}
        if method == "HEAD":
            inner["method"] = "GET"
        body_limits = context_of(scope).body_limits
        limits = body_limits.get(scope["path"], body_limits[""])
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                protect(MutableHeaders(scope=message), status, request_id)
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            refused = body_problem(method, headers, limits.max_bytes)
            if refused is None:
                await self.app(inner, limited(receive, limits), send_with_headers)
            else:
                await problem_response(inner, refused)(inner, receive, send_with_headers)
        except Exception as raised:  # the last net: whatever it is becomes a problem
            if status:
                raise
            response = problem_response(inner, from_exception(raised))
            await response(inner, receive, send_with_headers)
        finally:
            route = inner.get("route")
            log.info(
                "request",
                method=method,
                route=getattr(route, "path", None),
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )
