"""Authenticates clinicians, and writes every query to the audit log."""

from typing import Annotated

import structlog
from fastapi import Depends, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request as StarletteRequest
from starlette.types import Message, Receive, Scope, Send

from api.clinicians.audit import record_query
from api.clinicians.errors import BEARER, refused, scope_missing
from api.clinicians.identity import READ_AGGREGATES, Clinician
from api.clinicians.keys import read_key
from api.clinicians.oidc import AccessTokens
from api.clinicians.service import verify_key
from api.core.db import is_outage
from api.core.errors import NotAuthenticated, Problem, Unavailable, WrongTokenKind
from api.core.tokens import token_kind
from api.http.context import AppContext, context_of
from api.http.deps import Context
from api.http.limits import counting_failures
from api.http.openapi import operation_id
from api.http.problems import RETRY_AFTER_SECONDS, problem_response
from api.http.queries import refuse_unknown_parameters

MAX_PARAMETER_LENGTH = 200
MAX_PARAMETERS = 20
REFUSED = {404, 422}

log = structlog.get_logger(__name__)

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="clinicianToken",
    description=(
        "A clinician's key, from `footing clinician add`, or an access token of the operator's "
        "OpenID Connect issuer, with the scope for aggregates."
    ),
    bearerFormat="fc_… or JWT",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def parameters_of(route: APIRoute, scope: Scope, status: int) -> dict[str, str | list[str] | None]:
    """Return the parameters of a query for the log: the endpoint's own, with their values.

    Values of rejected parameters could be anything: only the names of these are logged.
    """
    query = StarletteRequest(scope).query_params
    names = [field.alias for field in get_flat_params(route.dependant)]
    given = {name: query.getlist(name) for name in names if name in query}
    given |= {name: [str(value)] for name, value in scope.get("path_params", {}).items()}
    if status in REFUSED:
        return dict.fromkeys(sorted(given))
    return {
        name: values[0] if len(values) == 1 else values
        for name, found in sorted(given.items())[:MAX_PARAMETERS]
        for values in [[value[:MAX_PARAMETER_LENGTH] for value in found[:MAX_PARAMETERS]]]
    }


async def write_entry(route: APIRoute, scope: Scope, status: int) -> Problem | None:
    """Write the entry of a query; return the problem to respond with if that fails."""
    clinician: Clinician | None = scope.get("state", {}).get("clinician")
    if clinician is None:
        return None
    context = context_of(scope)
    try:
        await record_query(
            context.database,
            context.clock,
            clinician,
            operation=operation_id(route),
            parameters=parameters_of(route, scope, status),
            status=status,
            request_id=scope["state"]["request_id"],
        )
    except Exception:  # whatever the error is: nothing is returned that is not in the log
        log.exception("a query could not be written to the audit log")
        return Unavailable(
            "The query cannot be written to the audit log, so it was rejected. Try again later.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    return None


class AuditedRoute(APIRoute):
    """A route that writes each query to the audit log before it sends the response.

    This is not a dependency, because only here the status of the response is known, and the
    handler's database connection is released: no query waits for a second one while it holds one.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = unaudited = False

        async def send_once_written(message: Message) -> None:
            nonlocal started, unaudited
            if message["type"] == "http.response.start":
                started = True
                problem = await write_entry(self, scope, message["status"])
                if problem is not None:
                    unaudited = True
                    await problem_response(scope, problem)(scope, receive, send)
            if not unaudited:
                await send(message)

        try:
            await super().handle(scope, receive, send_once_written)
        except Exception as error:
            if not started:
                await write_entry(self, scope, 503 if is_outage(error) else 500)
            raise


async def identify(context: AppContext, text: str) -> Clinician:
    """Verify credentials: a key or an access token, by their format."""
    match token_kind(text):
        case "participant":
            raise WrongTokenKind("A participant's token cannot be used for clinician endpoints.")
        case "clinician_key":
            key = read_key(text)
            if key is None:
                raise refused("The key is not valid.")
            async with context.database.read() as db:
                return await verify_key(db, key, context.clock)
        case "access_token":
            if AccessTokens not in context.parts:
                raise refused("This server does not accept access tokens.")
            return await context.part(AccessTokens).verify(text)
        case _:
            raise refused("This is neither a key nor an access token.")


async def authenticate(
    request: Request,
    response: Response,
    credentials: Credentials,
    context: Context,
) -> Clinician:
    """Authenticate the clinician and check the scope."""
    if not isinstance(request.scope["route"], AuditedRoute):
        message = "a clinician endpoint needs route_class=AuditedRoute on its router"
        raise TypeError(message)
    if credentials is None:
        message = "Send the key or the access token as Authorization: Bearer …"
        raise NotAuthenticated(message, headers={"WWW-Authenticate": BEARER})
    limiter = context.limiter
    async with counting_failures(request, limiter.clinician, "clinician"):
        clinician = await identify(context, credentials.credentials)
    caller = f"{clinician.kind} {clinician.who}"
    response.headers.update(await limiter.hit(limiter.clinician, "clinician", caller))
    # From here on the clinician is known and will be in the log, whatever the response is.
    request.state.clinician = clinician
    if READ_AGGREGATES not in clinician.scopes:
        by_key = clinician.kind == "key"
        raise scope_missing(READ_AGGREGATES if by_key else context.settings.oidc_required_scope)
    refuse_unknown_parameters(request)
    return clinician


# Keys are not cached: revoking one takes effect immediately.
# For the `dependencies` of a router whose route_class is AuditedRoute.
ClinicianOnly = Depends(authenticate, scope="function")
ClinicianCaller = Annotated[Clinician, ClinicianOnly]
