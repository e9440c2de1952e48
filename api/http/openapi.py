"""The OpenAPI document, in the form that mobile client generators read without loss."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.core.errors import Problem
from api.http.problems import MEDIA_TYPE, ProblemDetails

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
ALWAYS = {429: "RateLimited", 500: "InternalError", 503: "Unavailable"}
DESCRIPTIONS = {
    401: "No token, or one that is not valid.",
    403: "A token of another kind.",
    404: "There is no such thing, or it is somebody else's.",
    409: "The same id was used for other content.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Something in the request is not as described here.",
    429: "Too many calls; `Retry-After` says when to try again.",
    500: "A fault of ours; nothing was stored.",
    503: "The database is away; send the same again after `Retry-After` seconds.",
}
REQUEST_ID_HEADER = {
    "description": "The request's id, yours if it was well formed.",
    "schema": {"type": "string", "maxLength": 64, "examples": ["01939d6e7a5b7c3e"]},
}
RETRY_AFTER_HEADER = {
    "description": "Seconds to wait.",
    "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 86400},
}
LIMIT_HEADERS = {
    name: {
        "description": "See the IETF draft on RateLimit header fields.",
        "schema": {"type": "string", "maxLength": 100, "examples": [example]},
    }
    for name, example in (
        ("RateLimit", '"public";r=599;t=60'),
        ("RateLimit-Policy", '"public";q=600;w=60'),
    )
}
CONTENT_HEADERS = {
    "ETag": {
        "description": "Strong; one for each content coding.",
        "schema": {"type": "string", "maxLength": 100, "examples": ['"5d41402abc4b2a76.br"']},
    },
    "Cache-Control": {
        "schema": {"type": "string", "maxLength": 100, "examples": ["public, max-age=3600"]}
    },
    "Content-Language": {
        "schema": {"type": "string", "maxLength": 35, "examples": ["en"]},
    },
    "Vary": {
        "schema": {"type": "string", "maxLength": 100, "examples": ["Accept-Encoding"]},
    },
}


def content_responses(model: Any, media_type: str = "application/json") -> dict[int | str, Json]:
    """Describe a prepared answer: its shape, and that a client may already have it."""
    answer: Json = {"description": "As asked.", "headers": CONTENT_HEADERS}
    if media_type == "application/json":
        answer["model"] = model
    else:
        answer["content"] = {media_type: {"schema": model}}
    return {
        200: answer,
        304: {"description": "The client has it (`If-None-Match`).", "headers": CONTENT_HEADERS},
    }


def operation_id(route: APIRoute) -> str:
    """Name an operation after its handler, in camelCase, so that versions don't rename it."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _walk(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def _collapse_null(node: Json) -> None:
    """Say "or null" without a union: generators can't use unions (see docs/adr)."""
    variants = node.get("anyOf")
    if not isinstance(variants, list):
        return
    real = [variant for variant in variants if variant != {"type": "null"}]
    if len(real) != 1 or len(real) == len(variants):
        return
    del node["anyOf"]
    (only,) = real
    node.update({**only, **node})
    if "$ref" in only:
        # The schema it names says itself that it may be null.
        return
    if "enum" in only:
        node["enum"] = [*only["enum"], None]
    node["type"] = [only["type"], "null"]


def _nullable_enums(schemas: Json) -> None:
    """Give an enum that is somewhere nullable a twin that says so."""
    for node in list(_walk(schemas)):
        variants = node.get("anyOf")
        if not isinstance(variants, list) or {"type": "null"} not in variants:
            continue
        for variant in variants:
            name = variant.get("$ref", "").rpartition("/")[2]
            if "enum" in schemas.get(name, {}):
                schemas.setdefault(
                    f"Nullable{name}",
                    {
                        **schemas[name],
                        "title": f"Nullable{name}",
                        "type": ["string", "null"],
                        "enum": [*schemas[name]["enum"], None],
                    },
                )
                variant["$ref"] = f"#/components/schemas/Nullable{name}"


def _problem_response(status: int) -> Json:
    headers: Json = {"X-Request-ID": REQUEST_ID_HEADER}
    if status in {429, 503}:
        headers["Retry-After"] = RETRY_AFTER_HEADER
    if status == 429:  # noqa: PLR2004  # the status itself is the clearest name
        headers |= LIMIT_HEADERS
    if status == 401:  # noqa: PLR2004
        headers["WWW-Authenticate"] = {
            "schema": {"type": "string", "maxLength": 200, "examples": ["Bearer"]}
        }
    return {
        "description": DESCRIPTIONS[status],
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                "examples": {"problem": {"value": _problem_example(status)}},
            }
        },
    }


def _problem_example(status: int) -> Json:
    known = {cls.status: cls for cls in _subclasses(Problem) if hasattr(cls, "status")}
    cls = known[status]
    return {
        "type": f"urn:footing:problem:{cls.code.replace('_', '-')}",
        "title": cls.title,
        "status": status,
        "detail": DESCRIPTIONS[status],
        "instance": "/v1/sessions",
        "code": cls.code,
        "request_id": "01939d6e7a5b7c3e8f102b6d5c4e3a21",
        "errors": [],
    }


def _subclasses(cls: type[Problem]) -> Iterator[type[Problem]]:
    for sub in reversed(cls.__subclasses__()):
        yield sub
        yield from _subclasses(sub)


def _statuses(operation: Json, own: set[int]) -> Iterator[int]:
    """Derive from an operation's own description which problems it can answer."""
    yield from ALWAYS
    yield from own
    if operation.get("requestBody"):
        yield from (413, 415)
    if operation.get("requestBody") or operation.get("parameters"):
        yield 422
    if operation.get("security"):
        yield from (401, 403)
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        yield 404


def _describe(operation: Json) -> None:
    responses: Json = operation["responses"]
    own = {int(status) for status in responses if int(status) >= 400}  # noqa: PLR2004
    for code in sorted(set(_statuses(operation, own))):
        responses[str(code)] = {"$ref": f"#/components/responses/Problem{code}"}
    for status, response in responses.items():
        if int(status) < 400:  # noqa: PLR2004
            response.setdefault("headers", {})["X-Request-ID"] = REQUEST_ID_HEADER
            if operation.get("security") or operation.get("requestBody"):
                response["headers"] |= LIMIT_HEADERS
    operation["responses"] = dict(sorted(responses.items()))


def build_document(app: FastAPI) -> Json:
    """Make the document from the routes."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        servers=app.servers,
        contact=app.contact,
        license_info=app.license_info,
        separate_input_output_schemas=False,
    )
    components = document["components"]
    schemas = components["schemas"]
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema(
        ref_template="#/components/schemas/{model}"
    )
    schemas |= schemas["ProblemDetails"].pop("$defs")
    for path in document["paths"].values():
        for method in METHODS:
            if method in path:
                _describe(path[method])
    components["responses"] = {
        f"Problem{status}": _problem_response(status) for status in sorted(DESCRIPTIONS)
    }
    _nullable_enums(schemas)
    for node in list(_walk(document)):
        _collapse_null(node)
    components["schemas"] = dict(sorted(schemas.items()))
    return document


def install(app: FastAPI) -> None:
    """Serve the document, made once."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = build_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to replace it
