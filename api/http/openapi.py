"""The OpenAPI document, in the form that mobile client generators read without loss."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.http.problems import MEDIA_TYPE, ProblemDetails

Json = dict[str, Any]
# What the app answered when the examples were recorded: one for each schema of a body, by its name.
# `python -m tests.contract.examples` records them anew; a test tells when that is due.
EXAMPLES = Path(__file__).parent / "openapi_examples.json"
METHODS = ("get", "post", "put", "patch", "delete")
NOTES = """
How to read this document:

- Every field of an answer is always present, and null where it is empty. Clients ignore fields they
  do not know: answers may gain some.
- Enums may grow inside `v1`. Each says what an unknown value means; let your generator read one
  as such (`enumUnknownDefaultCase` of openapi-generator).
- Times are RFC 3339; answers always have the form `2026-11-22T10:00:00Z`.
- Errors are problem documents (RFC 9457). Act on `code`; `errors[].pointer` says what and where.
- The examples were recorded from the app. Lists in them are cut to two entries, and hashes, tokens
  and ids that the server makes are replaced.
"""
SERVERS = [
    {
        "url": "/",
        "description": "The server this document came from: production, staging or local.",
        "x-internal": False,
    }
]
ALWAYS = (429, 500, 503)
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
SUCCESS = {"200": "The answer.", "201": "Stored."}


def _header(description: str, example: str) -> Json:
    schema = {"type": "string", "maxLength": 200, "examples": [example]}
    return {"description": description, "schema": schema}


HEADERS = {
    "Access-Control-Allow-Origin": _header(
        "Only where the operator lets in web pages of other origins; apps do without.",
        "https://app.example.org",
    ),
    "Cache-Control": _header("How long the answer may be kept.", "public, max-age=3600"),
    "Content-Language": _header("The language of the answer's texts.", "en"),
    "ETag": _header(
        "Strong; one for each content coding.", '"5d41402abc4b2a76b9719d911017c592.br"'
    ),
    "Location": _header("Where to read it.", "/v1/sessions/01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"),
    "RateLimit": _header(
        "What is left, by the IETF draft on RateLimit header fields; only where calls are limited.",
        '"participant";r=599;t=60',
    ),
    "RateLimit-Policy": _header("The limit itself.", '"participant";q=600;w=60'),
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {
            "type": "integer",
            "format": "int32",
            "minimum": 0,
            "maximum": 86400,
            "examples": [2],
        },
    },
    "Vary": _header("What the answer depends on.", "Accept-Language, Accept-Encoding"),
    "WWW-Authenticate": _header("How to authenticate.", 'Bearer realm="footing"'),
    "X-Request-ID": _header(
        "The request's id: yours if it was well formed. Our logs know it.",
        "01939d6e7a5b7c3e8f102b6d5c4e3a21",
    ),
}
CONTENT_HEADERS = ("ETag", "Cache-Control", "Vary")
LIMIT_HEADERS = ("RateLimit", "RateLimit-Policy")
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" role="img"><title>Toe curls</title></svg>'
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer you have, in whichever coding: 304 if it is still so.",
    "schema": {
        "type": "string",
        "maxLength": 500,
        "examples": [HEADERS["ETag"]["schema"]["examples"][0]],
    },
}


def content_responses(model: Any, media_type: str = "application/json") -> dict[int | str, Json]:
    """Describe a prepared answer: its shape, and that a client may already have it."""
    answer: Json = {"description": "As asked."}
    if media_type == "application/json":
        answer["model"] = model
    else:
        answer["content"] = {media_type: {"schema": model, "example": PICTURE}}
    return {200: answer, 304: {"description": "The client has it already."}}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its handler, in camelCase, so that versions don't rename it."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _refer(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _referred(node: Json) -> str:
    return str(node.get("$ref", "")).rpartition("/")[2]


def _headers(*names: str) -> Json:
    every = sorted({*names, "X-Request-ID", "Access-Control-Allow-Origin"})
    return {name: _refer("headers", name) for name in every}


def _walk(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def _operations(document: Json) -> Iterator[Json]:
    for path in document["paths"].values():
        yield from (path[method] for method in METHODS if method in path)


def _nullable_twins(schemas: Json) -> None:
    """Give what is somewhere "this schema or null" a twin that says so itself."""
    for node in list(_walk(schemas)):
        variants = node.get("anyOf", ())
        if {"type": "null"} not in variants:
            continue
        for variant in variants:
            name = _referred(variant)
            if not name or "null" in schemas[name]["type"]:
                continue
            twin = {**schemas[name], "type": [schemas[name]["type"], "null"]}
            if "enum" in twin:
                twin["enum"] = [*twin["enum"], None]
            schemas.setdefault(f"Nullable{name}", twin)
            variant.update(_refer("schemas", f"Nullable{name}"))


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


def _tidy_parameter(parameter: Json) -> None:
    """Say what a parameter is once, and that it may be missing, not null."""
    schema = parameter["schema"]
    schema.pop("description", None)
    if {"type": "null"} in schema.get("anyOf", ()):
        (only,) = (variant for variant in schema.pop("anyOf") if variant != {"type": "null"})
        schema.update(only)


def _tidy_schemas(document: Json) -> None:
    schemas = document["components"]["schemas"]
    _nullable_twins(schemas)
    for node in _walk([document["paths"], schemas]):
        _collapse_null(node)
        if isinstance(node.get("title"), str):
            # Pydantic repeats each name as a title, which generators would take for a class.
            del node["title"]
        for bound in ("minimum", "maximum"):
            if isinstance(node.get(bound), float):
                # FastAPI writes every bound as a float, also those of integers.
                node[bound] = int(node[bound])
    while unused := schemas.keys() - {_referred(node) for node in _walk(document)}:
        for name in unused:
            del schemas[name]


def _statuses(operation: Json) -> Iterator[int]:
    """Derive from an operation's own description which problems it can answer."""
    yield from ALWAYS
    yield from (int(status) for status in operation["responses"] if int(status) in DESCRIPTIONS)
    if operation.get("requestBody"):
        yield from (413, 415)
    if operation.get("requestBody") or operation.get("parameters"):
        yield 422
    if {} not in operation["security"] or len(operation["security"]) > 1:
        yield from (401, 403)
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        yield 404


def _describe(operation: Json) -> None:
    """Say of an operation what its handler's signature does not."""
    operation["summary"] = operation["summary"].capitalize()
    # A call that needs no token says so: {} is the requirement that nobody fails.
    needs = operation.get("security", [{}])
    operation["security"] = [need for at, need in enumerate(needs) if need not in needs[:at]]
    responses: Json = operation["responses"]
    problems = sorted(set(_statuses(operation)))
    prepared = "304" in responses
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        _tidy_parameter(parameter)
    translated = any(parameter["name"] == "lang" for parameter in parameters)
    for status, response in responses.items():
        if int(status) in DESCRIPTIONS:
            continue
        if response["description"] == "Successful Response":
            response["description"] = SUCCESS[status]
        response["headers"] = _headers(
            *(CONTENT_HEADERS if prepared else ()),
            *(("Content-Language",) if translated else ()),
            *(("Location",) if "201" in responses else ()),
            *(LIMIT_HEADERS if status != "304" else ()),
        )
    responses |= {str(status): _refer("responses", f"Problem{status}") for status in problems}
    operation["responses"] = dict(sorted(responses.items()))
    if prepared:
        operation["parameters"] = [*parameters, _refer("parameters", "IfNoneMatch")]


def _problem_response(status: int) -> Json:
    names = list(LIMIT_HEADERS) if status < 500 else []  # noqa: PLR2004  # a class of statuses
    if status in {429, 503}:
        names.append("Retry-After")
    if status == 401:  # noqa: PLR2004  # the status itself is the clearest name
        names.append("WWW-Authenticate")
    return {
        "description": DESCRIPTIONS[status],
        "headers": _headers(*names),
        "content": {MEDIA_TYPE: {"schema": _refer("schemas", "ProblemDetails")}},
    }


def _add_problems(document: Json) -> None:
    components = document["components"]
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= {**schema.pop("$defs"), "ProblemDetails": schema}
    components["responses"] = {
        f"Problem{status}": _problem_response(status) for status in DESCRIPTIONS
    }


def _add_examples(document: Json) -> None:
    """Give every body the example that was recorded for its schema."""
    components = document["components"]
    examples = json.loads(EXAMPLES.read_bytes())
    bodies = [
        (_referred(body["schema"]), body)
        for operation in _operations(document)
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for body in part.get("content", {}).values()
    ]
    for name, response in components["responses"].items():
        bodies.append((name, response["content"][MEDIA_TYPE]))
    for name, body in bodies:
        if name in examples:
            body["examples"] = {"recorded": _refer("examples", name)}
    components["examples"] = {name: {"value": value} for name, value in examples.items()}


def build_document(app: FastAPI) -> Json:
    """Make the document from the routes."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=f"{app.description}\n{NOTES}".strip(),
        routes=app.routes,
        tags=app.openapi_tags,
        servers=SERVERS,
        contact=app.contact,
        license_info=app.license_info,
        separate_input_output_schemas=False,
    )
    components = document["components"]
    _add_problems(document)
    for operation in _operations(document):
        _describe(operation)
    _tidy_schemas(document)
    _add_examples(document)
    components["headers"] = HEADERS
    components["parameters"] = {"IfNoneMatch": IF_NONE_MATCH}
    for kind, parts in components.items():
        components[kind] = dict(sorted(parts.items()))
    return document


def install(app: FastAPI) -> None:
    """Serve the document, made once."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = build_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to replace it
