"""What happens to every request: an id, one log line, headers, HEAD, and no bare 500."""

import re
import time
import uuid
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.core.errors import UnsupportedMediaType
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


async def refuse_media_type(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a body that is not JSON."""
    problem = UnsupportedMediaType("Send the body as application/json.")
    await problem_response(scope, problem)(scope, receive, send)


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
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                outgoing = MutableHeaders(scope=message)
                outgoing["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS:
                    outgoing.setdefault(name, value)
                outgoing.setdefault("Content-Security-Policy", API_CONTENT_POLICY)
                outgoing.setdefault("Cache-Control", "no-store")
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            if has_foreign_body(method, headers):
                await refuse_media_type(inner, receive, send_with_headers)
            else:
                await self.app(inner, receive, send_with_headers)
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
