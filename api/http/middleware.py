"""What happens to every request: an id, one log line, headers, HEAD, and no bare 500."""

import re
import time
import uuid
from http import HTTPStatus
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.core.errors import BodyTooLarge, Problem, UnsupportedMediaType
from api.http.problems import from_exception, problem_response

WELL_FORMED_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}
SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)
API_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"

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


def limited(receive: Receive, max_body_bytes: int) -> Receive:
    """Count a body as it comes: one sent in chunks tells no length before.

    Starlette has the same, but answers in plain text and before any other middleware.
    """
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_body_bytes:
            # FastAPI lets nothing else through from where it reads a body.
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receive_counted


def complete_headers(message: Message, request_id: str) -> None:
    """Give an answer the headers that every one has, and take those that mean nothing on it."""
    outgoing = MutableHeaders(scope=message)
    outgoing["X-Request-ID"] = request_id
    for name, value in SECURITY_HEADERS:
        outgoing.setdefault(name, value)
    outgoing.setdefault("Content-Security-Policy", API_CONTENT_POLICY)
    outgoing.setdefault("Cache-Control", "no-store")
    if message["status"] == HTTPStatus.NO_CONTENT:
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
        state = scope["app"].state
        max_body_bytes: int = state.body_limits.get(scope["path"], state.settings.max_body_bytes)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                complete_headers(message, request_id)
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            refused = body_problem(method, headers, max_body_bytes)
            if refused is None:
                await self.app(inner, limited(receive, max_body_bytes), send_with_headers)
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
