"""Converts every error to a problem document (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails
from sqlalchemy.exc import NoResultFound
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.core import errors
from api.core.db import QueueFull, is_outage
from api.core.errors import MAX_FAULTS, Fault, Problem
from api.http.context import context_of

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "urn:footing:problem:"
RETRY_AFTER_SECONDS = 2
RETRY_SOON = {"Retry-After": str(RETRY_AFTER_SECONDS)}
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")

log = structlog.get_logger(__name__)


class ProblemError(BaseModel):
    """One thing that is wrong: where (a JSON Pointer), which code, and in words."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    pointer: Annotated[
        str,
        Field(
            max_length=500,
            description="JSON Pointer (RFC 6901) into the body, or /query/…, /path/…, /header/….",
        ),
    ]
    code: Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")]
    message: Annotated[str, Field(max_length=500)]


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457). Act on `code`: it is stable; the words may change."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    type: Annotated[str, Field(max_length=200, json_schema_extra={"format": "uri"})]
    title: Annotated[str, Field(max_length=200)]
    status: Annotated[int, Field(ge=400, le=599, json_schema_extra={"format": "int32"})]
    detail: Annotated[str, Field(max_length=1000)]
    instance: Annotated[str, Field(max_length=2000, description="The request's path.")]
    code: Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")]
    request_id: Annotated[
        str,
        Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$", description="Quote it in a bug report."),
    ]
    errors: Annotated[list[ProblemError], Field(max_length=MAX_FAULTS)]
    decision: Annotated[
        dict[str, Any] | None,
        Field(
            description="The decision on a rejected evaluation, or on symptom reports that "
            "are not stored. Show it like any other. Otherwise null."
        ),
    ]


def _decision(scope: Mapping[str, Any], problem: Problem) -> Mapping[str, Any] | None:
    """Return the decision in a problem response, by default the cautious outcome."""
    if problem.decision is not None or "app" not in scope:
        return problem.decision
    try:
        decision = context_of(scope).last_resort(scope, problem)
    except Exception:  # the problem itself must be sent in any case
        log.exception("no last resort")
        return None
    return decision


class BodyRefused(HTTPException):
    """A problem found while a body is arriving: FastAPI passes on no other exception there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status)
        self.problem = problem


def problem_response(scope: Mapping[str, Any], problem: Problem) -> Response:
    """Build the problem document for one request."""
    request_id = scope.get("state", {}).get("request_id", "")
    document = {
        "type": TYPE_BASE + problem.code.replace("_", "-"),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail[:1000],
        "instance": scope["path"][:2000],
        "code": problem.code,
        "request_id": request_id,
        "errors": [
            {
                "pointer": fault.pointer[:500],
                "code": fault.code,
                "message": fault.message[:500],
            }
            for fault in problem.faults[:MAX_FAULTS]
        ],
        "decision": _decision(scope, problem),
    }
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def pointer(parts: Iterable[str | int]) -> str:
    """Write a path of keys and indexes as a JSON Pointer."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def fault_of(error: ErrorDetails) -> Fault:
    """Convert one of pydantic's errors; the invalid value is never repeated."""
    place, *path = error["loc"]
    if place != "body":
        path = [place, *path]
    code = {"missing": "missing_field", "extra_forbidden": "unknown_field"}.get(
        error["type"], error["type"]
    )
    message = error["msg"].removeprefix("Value error, ")
    return Fault(pointer(path), code, message)


def from_validation(raised: RequestValidationError) -> Problem:
    """Convert all of pydantic's errors."""
    found = raised.errors()
    if any(error["type"] == "json_invalid" for error in found):
        position = next(iter(found))["loc"][-1]
        return errors.MalformedJson(f"The body is not JSON (at character {position}).")
    faults = [fault_of(error) for error in found[:MAX_FAULTS]]
    # The body is missing or of another type: there is no field to point to.
    detail = "; ".join(f"{fault.pointer or 'body'}: {fault.message}" for fault in faults[:3])
    more = len(found) - 3
    return errors.InvalidRequest(detail + (f"; and {more} more" if more > 0 else ""), faults=faults)


def allowed_methods(request: Request) -> str:
    """Return all methods of a path: Starlette returns only those of its first route."""
    methods = [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
    if "GET" in methods:
        methods.append("HEAD")
    return ", ".join(sorted(methods))


def from_http_exception(request: Request, raised: HTTPException) -> Problem:
    """Convert the framework's own exceptions."""
    if isinstance(raised, BodyRefused):
        return raised.problem
    match raised.status_code:
        case HTTPStatus.NOT_FOUND:
            return errors.NotFound("Unknown path.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allow = allowed_methods(request)
            return errors.MethodNotAllowed(
                f"{request.method} is not possible here; {allow} is.", headers={"Allow": allow}
            )
        case HTTPStatus.BAD_REQUEST:
            return errors.MalformedJson("The body is not JSON.")
        case _:
            return errors.InternalError("The request could not be handled.")


def from_exception(raised: Exception) -> Problem:
    """Convert an outage, which a client retries, or an internal error, which is logged."""
    if isinstance(raised, NoResultFound):
        # The row was deleted during the request.
        log.warning("gone while it was being read", exc_info=raised)
        return errors.NotFound("It was deleted during the request.")
    if is_outage(raised):
        if not isinstance(raised, QueueFull):  # rejecting must stay cheap
            log.warning("database unavailable", exc_info=raised)
        return errors.Unavailable(
            "The database is unavailable. Nothing was stored; send the request again.",
            headers=RETRY_SOON,
        )
    log.error("unhandled error", exc_info=raised)
    return errors.InternalError("Nothing was stored. The request's id finds it in our logs.")


def install(app: FastAPI) -> None:
    """Convert every exception of this app to a problem document."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, raised: Problem) -> Response:
        return problem_response(request.scope, raised)

    @app.exception_handler(RequestValidationError)
    async def on_validation(request: Request, raised: RequestValidationError) -> Response:
        return problem_response(request.scope, from_validation(raised))

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, raised: HTTPException) -> Response:
        return problem_response(request.scope, from_http_exception(request, raised))
