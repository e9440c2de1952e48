"""Errors by meaning. Each carries the status and the stable code of its problem document.

Every subclass of `Problem` is listed in docs/problems.md; a test compares the two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

# A problem document lists this many faults; nothing collects more.
MAX_FAULTS = 50


@dataclass(frozen=True)
class Fault:
    """One error and its place; `pointer` is a JSON Pointer (RFC 6901)."""

    pointer: str
    code: str
    message: str

    def below(self, place: str) -> "Fault":
        """Return the same fault with another pointer."""
        return replace(self, pointer=place + self.pointer)


class Problem(Exception):
    """Base of every error that a client receives (RFC 9457)."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    # Whether the whole body was received, so that its usable parts can be read again.
    body_usable: ClassVar[bool] = True
    # The decision in the response, if the request asked for one.
    decision: Mapping[str, Any] | None = None

    def __init__(
        self,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


# In every 401 (RFC 6750).
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="footing"'}


class InvalidRequest(Problem):
    """The request is well formed, but parts of it are invalid."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"


class MalformedJson(Problem):
    """The body is not JSON at all."""

    status = 422
    code = "malformed_json"
    title = "The body is not JSON"
    body_usable = False


class MalformedHttp(Problem):
    """The request is not HTTP."""

    status = 400
    code = "malformed_http"
    title = "The request is not HTTP"


class NotAuthenticated(Problem):
    """No token, or one that is not (or no longer) valid."""

    status = 401
    code = "not_authenticated"
    title = "Not authenticated"


class WrongTokenKind(Problem):
    """The wrong kind of token: a clinician's key for a participant endpoint, or the reverse."""

    status = 403
    code = "wrong_token_kind"
    title = "The token is not valid for this endpoint"


class NotFound(Problem):
    """The resource does not exist, or belongs to another participant."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(Problem):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class NotAcceptable(Problem):
    """The client accepts no media type that the endpoint offers."""

    status = 406
    code = "not_acceptable"
    title = "No acceptable media type"


class RequestTimeout(Problem):
    """The request stopped arriving before it was complete."""

    status = 408
    code = "request_timeout"
    title = "The request did not arrive in time"


class BodyTooLarge(Problem):
    """The body is larger than the endpoint allows."""

    status = 413
    code = "body_too_large"
    title = "The body is too large"
    body_usable = False


class BodyTooComplex(Problem):
    """The body has more values, keys in one object or levels than allowed."""

    status = 413
    code = "body_too_complex"
    title = "The body is too complex"
    body_usable = False


class PreconditionFailed(Problem):
    """The resource was changed since the client last read it."""

    status = 412
    code = "precondition_failed"
    title = "The resource has changed"


class UnsupportedMediaType(Problem):
    """The body's media type is not application/json, or it is compressed."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class RateLimited(Problem):
    """Too many requests in too short a time."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"


class HeadersTooLarge(Problem):
    """The request line and headers together are larger than allowed."""

    status = 431
    code = "headers_too_large"
    title = "The headers are too large"


class InternalError(Problem):
    """An internal error; nothing was stored."""

    status = 500
    code = "internal_error"
    title = "Internal error"


class Unavailable(Problem):
    """The database or the token issuer is unavailable; the request may be sent again."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


class NotReady(Exception):
    """The server cannot start; the message says what to run."""


class Busy(NotReady):
    """Another process holds the lock; the command may be run again later."""


def refuse(faults: Iterable[Fault]) -> None:
    """Raise an error with all faults, if there are any."""
    found = list(faults)
    if found:
        detail = "; ".join(f"{fault.pointer}: {fault.message}" for fault in found[:3])
        raise InvalidRequest(detail, faults=found)
