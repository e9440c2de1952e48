"""The OpenAPI document, in the form that mobile client generators read without loss."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.core.config import Deprecated
from api.http.openapi_parts import (
    ALWAYS,
    CONTENT_HEADERS,
    DEPRECATION_HEADERS,
    DESCRIPTIONS,
    HEADERS,
    IF_NONE_MATCH,
    LIMIT_HEADERS,
    NOTES,
    PICTURE,
    SERVERS,
    STORED_BEFORE,
    SUCCESS,
    Json,
)
from api.http.problems import MEDIA_TYPE, ProblemDetails

# Recorded responses of the app, one for each schema of a body, by its name.
# tests/contract/examples.py records them; a test fails when that is due.
EXAMPLES = Path(__file__).parent / "openapi_examples.json"
METHODS = ("get", "post", "put", "patch", "delete")


def content_responses(
    model: Any, media_type: str = "application/json", *, example: str = PICTURE
) -> dict[int | str, Json]:
    """Describe a prepared response: its schema, and 304."""
    described: Json = {"description": "The requested resource."}
    if media_type == "application/json":
        described["model"] = model
    else:
        described["content"] = {media_type: {"schema": model, "example": example}}
    return {200: described, 304: {"description": "The client has it already."}}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its handler, in camelCase, so that its name is stable."""
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


def _nullable_schemas(schemas: Json) -> None:
    """Add a nullable version of each schema that is used as "this schema or null"."""
    for node in list(_walk(schemas)):
        variants = node.get("anyOf", ())
        if {"type": "null"} not in variants:
            continue
        for variant in variants:
            name = _referred(variant)
            if not name or "null" in schemas[name]["type"]:
                continue
            nullable = {**schemas[name], "type": [schemas[name]["type"], "null"]}
            if "enum" in nullable:
                nullable["enum"] = [*nullable["enum"], None]
            schemas.setdefault(f"Nullable{name}", nullable)
            variant.update(_refer("schemas", f"Nullable{name}"))


def _collapse_null(node: Json) -> None:
    """Express "or null" without a union, which generators do not support (see ADR 0012)."""
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
        # The schema it refers to allows null itself.
        return
    if "enum" in only:
        node["enum"] = [*only["enum"], None]
    node["type"] = [only["type"], "null"]


def _tidy_parameter(parameter: Json) -> None:
    """Describe a parameter once; it may be missing, but not null."""
    schema = parameter["schema"]
    schema.pop("description", None)
    if {"type": "null"} in schema.get("anyOf", ()):
        (only,) = (variant for variant in schema.pop("anyOf") if variant != {"type": "null"})
        schema.update(only)


def _tidy_schemas(document: Json) -> None:
    schemas = document["components"]["schemas"]
    _nullable_schemas(schemas)
    for node in _walk([document["paths"], schemas]):
        _collapse_null(node)
        if isinstance(node.get("title"), str):
            # Pydantic repeats each name as a title, which generators would turn into a class.
            del node["title"]
        if isinstance(node.get("type"), (str, list)) or "$ref" in node:
            # Some generators make fields with a default required, others cannot express it.
            node.pop("default", None)
        for bound in ("minimum", "maximum"):
            if isinstance(node.get(bound), float):
                # FastAPI writes every bound as a float, also those of integers.
                node[bound] = int(node[bound])
    while unused := schemas.keys() - {_referred(node) for node in _walk(document)}:
        for name in unused:
            del schemas[name]


def _is_problem(status: str) -> bool:
    return status >= "400"


def _statuses(operation: Json) -> Iterator[int]:
    """Derive from an operation's description which problems it can return."""
    yield from ALWAYS
    yield from (int(status) for status in operation["responses"] if _is_problem(status))
    if operation.get("requestBody"):
        yield from (413, 415)
    # Almost any request can have an unknown query parameter.
    yield 422
    schemes = {name for need in operation["security"] for name in need}
    if schemes:
        yield from (401, 403)
    if "deviceToken" in schemes:
        yield 410
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        yield 404


def _describe(operation: Json) -> None:
    """Add to an operation what its handler's signature does not express."""
    operation["summary"] = operation["summary"].capitalize()
    # An operation without a token has {}, the requirement that every request meets.
    needs = operation.get("security", [{}])
    operation["security"] = [need for at, need in enumerate(needs) if need not in needs[:at]]
    problems = sorted(set(_statuses(operation)))
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        _tidy_parameter(parameter)
    _describe_answers(operation)
    responses: Json = operation["responses"]
    responses |= {str(status): _refer("responses", f"Problem{status}") for status in problems}
    operation["responses"] = dict(sorted(responses.items()))
    if "304" in responses:
        operation["parameters"] = [*parameters, _refer("parameters", "IfNoneMatch")]


def _describe_answers(operation: Json) -> None:
    responses: Json = operation["responses"]
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    for status, response in responses.items():
        if _is_problem(status):
            continue
        if response["description"] in {"Successful Response", "OK"}:
            again = status == "200" and "201" in responses
            response["description"] = STORED_BEFORE if again else SUCCESS[status]
        if "content" in response:
            # FastAPI describes every response as JSON, also pictures.
            content = response["content"].items()
            response["content"] = {name: body for name, body in content if body["schema"]}
        response["headers"] = _headers(
            *response.get("headers", ()),
            *(CONTENT_HEADERS if "304" in responses else ()),
            *(("Content-Language",) if "lang" in names else ()),
            *(("Location",) if "201" in responses else ()),
            *(LIMIT_HEADERS if status != "304" else ()),
        )


def _problem_response(status: int) -> Json:
    names = list(LIMIT_HEADERS) if status < 500 else []  # noqa: PLR2004  # a class of statuses
    if status in {429, 503}:
        names.append("Retry-After")
    if status == 401:  # noqa: PLR2004  # the status itself is the clearest name
        names.append("WWW-Authenticate")
    if status == 415:  # noqa: PLR2004  # the same
        names.append("Accept-Encoding")
    return {
        "description": DESCRIPTIONS[status],
        "headers": _headers(*names),
        "content": {MEDIA_TYPE: {"schema": _refer("schemas", "ProblemDetails")}},
    }


def _add_problems(document: Json) -> None:
    components = document["components"]
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    # Its schema belongs to a higher layer; here only its name is known.
    schema["properties"]["decision"]["anyOf"] = [_refer("schemas", "Decision"), {"type": "null"}]
    components["schemas"] |= {**schema.pop("$defs"), "ProblemDetails": schema}
    components["responses"] = {
        f"Problem{status}": _problem_response(status) for status in DESCRIPTIONS
    }


def _add_examples(document: Json) -> None:
    """Add the recorded example of its schema to every body."""
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


def _mark_deprecated(document: Json, endpoints: Iterable[Deprecated]) -> None:
    """Mark deprecated operations; `compatibility.check` rejects unknown ones."""
    for endpoint in endpoints:
        operation = document["paths"].get(endpoint.path, {}).get(endpoint.method.lower())
        if operation is None:
            continue
        operation["deprecated"] = True
        document["components"]["headers"] = HEADERS | DEPRECATION_HEADERS
        for status, response in operation["responses"].items():
            if not _is_problem(status):
                response["headers"] |= _headers(*DEPRECATION_HEADERS)


def build_document(app: FastAPI) -> Json:
    """Generate the document from the routes."""
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
    _mark_deprecated(document, app.state.context.settings.deprecations)
    components["parameters"] = {"IfNoneMatch": IF_NONE_MATCH}
    for kind, parts in components.items():
        components[kind] = dict(sorted(parts.items()))
    return document


def install(app: FastAPI) -> None:
    """Serve the document, which is generated once."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = build_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to replace it
