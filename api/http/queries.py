"""Rejects unknown query parameters, on almost all endpoints."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from api.core.errors import Fault, refuse
from api.http.problems import pointer

Call = TypeVar("Call", bound=Callable[..., Any])

_WITH_ANY_QUERY: set[Callable[..., Any]] = set()


def with_any_query(call: Call) -> Call:
    """Accept any query parameter on this endpoint.

    For URLs that generic programs request: load balancers, calendars, and pages with pictures. They
    add parameters of their own, for example against caches.
    """
    _WITH_ANY_QUERY.add(call)
    return call


def refuse_unknown_parameters(request: Request) -> None:
    """Reject unknown parameters, such as a misspelt filter, and name each."""
    route = request.scope["route"]
    # Pages accept any query: an issuer redirects browsers to one with its own parameters.
    if (
        not request.scope["query_string"]
        or not isinstance(route, APIRoute)
        or not route.include_in_schema
    ):
        return
    if route.endpoint in _WITH_ANY_QUERY:
        return
    fields = get_flat_params(route.dependant)
    known = sorted(field.alias for field in fields if isinstance(field.field_info, Query))
    message = f"Unknown parameter. Available: {', '.join(known) or 'none'}."
    refuse(
        Fault(pointer(["query", name]), "unknown_parameter", message)
        for name in request.query_params
        if name not in known
    )


def _reads_token(dependant: Dependant) -> bool:
    call: object = dependant.call
    return isinstance(call, SecurityBase) or any(map(_reads_token, dependant.dependencies))


async def check_query(request: Request) -> None:
    """Check the query of a request to an endpoint without a token.

    With a token, the token's dependency checks it: an invalid token is the first error,
    and a clinician's query is logged.
    """
    route = request.scope["route"]
    has_query = bool(request.scope["query_string"])
    if has_query and isinstance(route, APIRoute) and not _reads_token(route.dependant):
        refuse_unknown_parameters(request)
