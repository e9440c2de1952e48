"""What is asked for in an address: refused where a call doesn't have it, on every call alike."""

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from api.core.errors import Fault, refuse
from api.http.problems import pointer


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse parameters that a call would pass over, such as a mistyped filter; name each."""
    route = request.scope["route"]
    # Pages are no calls: a browser comes back to one with what an issuer of tokens added.
    if not request.url.query or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    fields = get_flat_params(route.dependant)
    known = sorted(field.alias for field in fields if isinstance(field.field_info, Query))
    message = f"This call has no such parameter; it has {', '.join(known) or 'none at all'}."
    refuse(
        Fault(pointer(["query", name]), "unknown_parameter", message)
        for name in request.query_params
        if name not in known
    )
