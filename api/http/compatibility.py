"""Deprecated endpoints and supported app versions: announced in advance.

Deprecated endpoints work as before, with the headers `Deprecation` (RFC 9745) and `Sunset`
(RFC 8594). No request is rejected because of an app's version: no upload and no report of a red
flag may wait for an update.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.core.config import AppVersions, Deprecated, Platform, Settings
from api.core.errors import NotReady
from api.http.conditional import Body, make_body, respond
from api.http.deps import Context
from api.http.fields import Instant, ResponseModel
from api.http.openapi import content_responses

MAX_AGE = 3600

router = APIRouter(prefix="/v1", tags=["operations"])

AppVersion = Annotated[
    str | None,
    Field(max_length=40, pattern=r"^[0-9]+(\.[0-9]+){0,3}$", examples=["1.4.0"]),
]
Address = Annotated[
    str | None,
    Field(
        max_length=500, json_schema_extra={"format": "uri"}, examples=["https://app.example.org"]
    ),
]


class PlatformVersions(ResponseModel):
    """The app versions for one platform; null if the operator sets none."""

    platform: Annotated[
        Platform,
        Field(description="Skip an entry of an unknown value."),
    ]
    minimum: Annotated[
        AppVersion, Field(description="Below this, ask for an update, and go on uploading.")
    ]
    recommended: AppVersion
    store_url: Address


class DeprecatedEndpoint(ResponseModel):
    """A deprecated endpoint. It works until `sunset_at`, or indefinitely if that is null."""

    method: Annotated[
        Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
        Field(description="Skip an entry of an unknown value."),
    ]
    path: Annotated[str, Field(max_length=200, examples=["/v1/tips"])]
    deprecated_at: Instant
    sunset_at: Instant | None
    link: Address


class Compatibility(ResponseModel):
    """The app versions that this server supports, and what is deprecated."""

    api_version: Annotated[str, Field(max_length=8, pattern=r"^v[0-9]+$", examples=["v1"])]
    server_version: Annotated[
        str, Field(max_length=40, pattern=r"^[0-9][0-9A-Za-z.+-]*$", examples=["0.1.0"])
    ]
    platforms: Annotated[list[PlatformVersions], Field(max_length=10)]
    below_minimum: Annotated[
        list[
            Annotated[
                Literal["uploads", "triage", "own_data"],
                Field(description="Skip an unknown value."),
            ]
        ],
        Field(max_length=10, description="What an app below the minimum must go on offering."),
    ]
    deprecated_calls: Annotated[list[DeprecatedEndpoint], Field(max_length=200)]


def describe(settings: Settings, server_version: str) -> Body:
    """Prepare the response, once for each app."""
    announced = Compatibility(
        api_version="v1",
        server_version=server_version,
        platforms=[
            PlatformVersions(
                platform=platform,
                **settings.app_versions.get(platform, AppVersions()).model_dump(),
            )
            for platform in get_args(Platform)
        ],
        below_minimum=["uploads", "triage", "own_data"],
        deprecated_calls=[
            DeprecatedEndpoint(**each.model_dump()) for each in settings.deprecations
        ],
    )
    return make_body(announced.model_dump_json().encode(), quick=True)


@router.get("/compatibility", response_model=None, responses=content_responses(Compatibility))
async def get_compatibility(request: Request, context: Context) -> Response:
    """Get the supported app versions and the deprecated endpoints.

    No request is rejected because of an app's version. An app below the minimum asks for an update
    and continues uploading and triaging.
    """
    return respond(request, context.compatibility, max_age=MAX_AGE)


def headers_of(endpoint: Deprecated) -> list[tuple[str, str]]:
    """Return the headers of every response of a deprecated endpoint."""
    headers = [("Deprecation", f"@{int(endpoint.deprecated_at.timestamp())}")]
    if endpoint.sunset_at is not None:
        headers.append(("Sunset", format_datetime(endpoint.sunset_at.astimezone(UTC), usegmt=True)))
    if endpoint.link is not None:
        headers.append(("Link", f'<{endpoint.link}>; rel="deprecation"; type="text/html"'))
    return headers


class DeprecationMiddleware:
    """Adds the headers of deprecated endpoints to every response, problems included."""

    def __init__(self, app: ASGIApp, endpoints: Iterable[Deprecated]) -> None:
        self.app = app
        self.headers: Mapping[tuple[str, str], list[tuple[str, str]]] = {
            (each.method, each.path): headers_of(each) for each in endpoints
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers once the route is known."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "")
                outgoing = MutableHeaders(scope=message)
                for name, value in self.headers.get((scope["method"], path), ()):
                    outgoing.append(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def check(app: FastAPI, endpoints: Iterable[Deprecated]) -> None:
    """Reject a deprecation of an unknown endpoint, which would announce nothing."""
    for endpoint in endpoints:
        if endpoint.method.lower() not in app.openapi()["paths"].get(endpoint.path, {}):
            message = (
                f"FOOTING_DEPRECATIONS names {endpoint.method} {endpoint.path}, which is not an "
                "endpoint of this server. Write its path as in docs/openapi.json."
            )
            raise NotReady(message)
