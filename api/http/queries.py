"""What is asked for in an address: refused where a call doesn't have it, on almost every call."""

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
    """Let a call be made with whatever is added to its address.

    For addresses that programs which know nothing of this service keep and call: load balancers,
    calendars and pages with pictures. They add what they like, against caches for instance.
    """
    _WITH_ANY_QUERY.add(call)
    return call


def refuse_unknown_parameters(request: Request) -> None:
    """Refuse parameters that a call would pass over, such as a mistyped filter; name each."""
    route = request.scope["route"]
    # Pages are no calls: a browser comes back to one with what an issuer of tokens added.
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
    """Check the query of a call that reads no token.

    After authentication the token dependency checks it: a refused token is the first error,
    and what a clinician asked for is written down.
    """
    route = request.scope["route"]
    has_query = bool(request.scope["query_string"])
    if has_query and isinstance(route, APIRoute) and not _reads_token(route.dependant):
        refuse_unknown_parameters(request)
