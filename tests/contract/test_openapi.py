"""The OpenAPI document: what generators of clients can rely on, and that it is true."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.commands.app import app as command
from api.core.config import Settings
from api.http.openapi import EXAMPLES
from api.main import create_app
from tests.aggregates.published import publish_a_week
from tests.conftest import AppMaker
from tests.contract.examples import record
from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.document import RECORDED, RECORDED_FILE

Json = dict[str, Any]
Place = tuple[str, ...]
NODE_FOLDER = Path(__file__).parent / "openapi_lint"
HANDLER_NAME = re.compile(r"^[a-z]+([A-Z][a-z0-9]*)*$")
INTEGERS = {"int32": 2**31, "int64": 2**63}
BOUNDED_STRING = {"maxLength", "enum", "const"}
# What a rule set says in JsonLogic, answers that are whole numbers or choices, and stored rows.
OPEN_OBJECTS = {
    "RuleSetRule": (("properties", "condition"),),
    "RuleSetExample": (("properties", "answers"),),
    "Export": (("items",),),
    # Whatever is sent is answered with a decision.
    "TriageReport": (("TriageReport",),),
    # The answers whose schemas have no names here: FHIR's own definition is their schema.
    "get": (
        ("properties", "resource"),
        ("properties", "meta"),
        ("properties", "extension", "items"),
        ("properties", "group", "items"),
    ),
}
PROBLEM = "application/problem+json"
SUBSCHEMAS = ("items", "additionalProperties")


@pytest.fixture(scope="module")
def document() -> Json:
    """The document as it is sent."""
    made: Json = json.loads(json.dumps(create_app(Settings()).openapi()))
    return made


def resolve(document: Json, node: Json) -> Json:
    """Follow a reference."""
    while "$ref" in node:
        found: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def walk(node: Any, place: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Yield every object of the document; what examples hold is data."""
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            if key not in {"example", "examples"} or place[-1:] == ("properties",):
                yield from walk(value, (*place, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, (*place, str(index)))


def schemas_below(schema: Json, place: Place) -> Iterator[tuple[Place, Json]]:
    """Yield a schema and every schema in it, without following references."""
    yield place, schema
    for keyword in SUBSCHEMAS:
        if isinstance(schema.get(keyword), dict):
            yield from schemas_below(schema[keyword], (*place, keyword))
    for name, property_ in schema.get("properties", {}).items():
        yield from schemas_below(property_, (*place, "properties", name))


def all_schemas(document: Json) -> Iterator[tuple[Place, Json]]:
    """Yield every schema: named ones, and those of parameters, headers and bodies."""
    for name, schema in document["components"]["schemas"].items():
        yield from schemas_below(schema, ("components", "schemas", name))
    for place, node in walk(document):
        if "schema" in node and "properties" not in place:
            yield from schemas_below(node["schema"], (*place, "schema"))


def types_of(schema: Json) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def bodies(document: Json, operation: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield every body of an operation: whose it is, its media type, and what is said of it."""
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, body
    for status, response in operation["responses"].items():
        for media_type, body in resolve(document, response).get("content", {}).items():
            yield status, media_type, body


def answered_schemas(document: Json) -> dict[str, Json]:
    """Return every named schema that an answer can hold."""
    found: dict[str, Json] = {}

    def visit(schema: Json) -> None:
        for _, part in schemas_below(schema, ()):
            name = part.get("$ref", "").rpartition("/")[2]
            if name and name not in found:
                found[name] = resolve(document, part)
                visit(found[name])

    for _, _, operation in operations(document):
        for whose, _, body in bodies(document, operation):
            if whose != "request":
                visit(body["schema"])
    return found


def needs_token(operation: Json) -> bool:
    return {} not in operation["security"]


# What is committed, printed and served is one document.


def test_the_committed_document_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(command, ["openapi"])
    assert printed.exit_code == 0
    message = "run: footing openapi > docs/openapi.json"
    assert printed.stdout == RECORDED_FILE.read_text("utf-8"), message


def test_a_running_app_serves_the_committed_document(content_client: TestClient) -> None:
    served = content_client.get("/v1/openapi.json")
    assert served.headers["Content-Type"] == "application/json"
    assert served.json() == RECORDED


def test_what_an_operator_sets_does_not_change_the_document(document: Json) -> None:
    settings = Settings(max_body_bytes=2048, cors_origins=("https://a.example",), adults_only=False)
    assert json.loads(json.dumps(create_app(settings).openapi())) == document


# What breaks generated clients is not in it.


def test_no_schema_is_a_union(document: Json) -> None:
    unions = {"anyOf", "oneOf", "allOf", "not", "if"}
    assert not [place for place, schema in all_schemas(document) if unions & schema.keys()]


def test_no_schema_has_a_name_that_generators_or_languages_reserve(document: Json) -> None:
    bad = re.compile(r"(Input|Output|Inner)$|^(HTTP)?ValidationError$|^(Text|Type|Patch|Event)$")
    assert not [name for name in document["components"]["schemas"] if bad.search(name)]


def test_every_operation_is_named_after_its_handler_and_no_two_alike(document: Json) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert "logSession" in names
    assert not [name for name in names if not HANDLER_NAME.match(name)]
    assert len(set(names)) == len(names)


def test_head_is_supported_but_not_listed(document: Json) -> None:
    assert {method for method, _, _ in operations(document)} <= {
        "get",
        "post",
        "put",
        "patch",
        "delete",
    }


def test_a_country_is_accepted_in_any_case_and_returned_in_upper_case(document: Json) -> None:
    schemas = document["components"]["schemas"]
    taken, answered = (
        schemas[name]["properties"]["country"]["pattern"]
        for name in ("NewSymptomReport", "LoggedSymptomReport")
    )
    assert (taken, answered) == ("^[A-Za-z]{2}$", "^[A-Z]{2}$")


def test_every_schema_has_a_type(document: Json) -> None:
    typed = {"type", "$ref", "const", "enum"}
    assert not [place for place, schema in all_schemas(document) if not typed & schema.keys()]


def test_every_name_in_the_document_leads_somewhere_and_nothing_is_left_over(
    document: Json,
) -> None:
    used = {node["$ref"] for _, node in walk(document) if "$ref" in node}
    for _, _, operation in operations(document):
        for _, _, body in bodies(document, operation):
            used |= {example["$ref"] for example in body.get("examples", {}).values()}
    there = {
        f"#/components/{kind}/{name}"
        for kind, parts in document["components"].items()
        if kind != "securitySchemes"
        for name in parts
    }
    assert used == there


# Everything has its bounds.


def test_every_string_is_bounded(document: Json) -> None:
    assert not [
        place
        for place, schema in all_schemas(document)
        if "string" in types_of(schema) and not BOUNDED_STRING & schema.keys()
    ]


def test_every_integer_is_bounded_and_fits_its_format(document: Json) -> None:
    integers = [
        (place, schema) for place, schema in all_schemas(document) if "integer" in types_of(schema)
    ]
    assert integers
    for place, schema in integers:
        limit = INTEGERS[schema["format"]]
        assert -limit <= schema["minimum"] <= schema["maximum"] < limit, place


def test_only_figures_about_many_are_fractions_and_they_are_bounded(document: Json) -> None:
    for place, schema in all_schemas(document):
        if "number" in types_of(schema):
            assert place[2].startswith(("Aggregate", "Guarantee", "Ledger", "Listed")), place
            assert schema["format"] == "double", place
            assert schema["minimum"] < schema["maximum"], place


def test_every_list_is_bounded_and_says_what_it_holds(document: Json) -> None:
    assert not [
        place
        for place, schema in all_schemas(document)
        if "array" in types_of(schema) and not {"maxItems", "items"} <= schema.keys()
    ]


def test_every_object_is_closed_or_a_bounded_map(document: Json) -> None:
    objects = [
        (place, schema) for place, schema in all_schemas(document) if "object" in types_of(schema)
    ]
    for place, schema in objects:
        extra = schema.get("additionalProperties", True)
        if extra is False:
            continue
        assert "maxProperties" in schema, place
        if isinstance(extra, dict):
            continue
        ends = OPEN_OBJECTS[place[2]]
        assert any(place[-len(end) :] == end for end in ends), place


def test_no_field_has_a_default(document: Json) -> None:
    named = [place for place, _ in all_schemas(document) if "schemas" in place]
    assert named
    assert not [
        place
        for place, schema in all_schemas(document)
        if "default" in schema and "schemas" in place
    ]


def test_every_field_of_an_answer_is_always_present(document: Json) -> None:
    answered = answered_schemas(document)
    assert "LoggedSession" in answered
    for name, schema in answered.items():
        fields = schema.get("properties", {})
        assert set(schema.get("required", ())) == fields.keys(), name


def test_every_enum_of_a_response_documents_unknown_values(document: Json) -> None:
    silent = []
    for name, schema in answered_schemas(document).items():
        if "enum" in schema:
            continue  # it is said where it is used
        for place, part in schemas_below(schema, (name,)):
            if "enum" in resolve(document, part) and "unknown value" not in part["description"]:
                silent.append("/".join(place))
    assert not silent


# What every operation says.


def test_every_operation_describes_its_problems(document: Json) -> None:
    for method, path, operation in operations(document):
        expected = {"429", "500", "503"}
        parameters = operation.get("parameters", ())
        places = {resolve(document, parameter)["in"] for parameter in parameters}
        if "path" in places:
            expected |= {"404", "422"}
        if "query" in places:
            expected |= {"422"}
        if "requestBody" in operation:
            expected |= {"413", "415", "422"}
        if any(operation["security"]):
            expected |= {"401", "403"}
        if {"deviceToken": []} in operation["security"]:
            expected |= {"410"}
        assert expected <= operation["responses"].keys(), (method, path)


def test_every_problem_is_a_problem_document(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status < "400":
                continue
            content = resolve(document, response)["content"]
            assert content.keys() == {PROBLEM}, (method, path, status)
            assert content[PROBLEM]["schema"]["$ref"].endswith("/ProblemDetails")


def test_an_endpoint_requires_a_token_exactly_if_the_document_says_so(
    document: Json, content_client: TestClient
) -> None:
    values = {"cursor": "x", "name": "toe-curls-0123456789abcdef.svg", "item_id": "toe-curls"}
    hashes = {"rule_set_hash": "0" * 64}
    for method, path, operation in operations(document):
        names = re.findall(r"{(\w+)}", path)
        unknown = "00000000-0000-4000-8000-000000000000"
        filled = path.format(**{name: (values | hashes).get(name, unknown) for name in names})
        status = content_client.request(method, filled, json={}).status_code
        assert (status == 401) is needs_token(operation), (method, path, status)


def test_content_documents_304(document: Json, content_client: TestClient) -> None:
    prepared = [
        (path, operation)
        for _, path, operation in operations(document)
        if "content" in operation["tags"]
    ]
    assert prepared
    for path, operation in prepared:
        names = {resolve(document, one)["name"] for one in operation["parameters"]}
        assert "If-None-Match" in names, path
        for status in ("200", "304"):
            headers = operation["responses"][status]["headers"].keys()
            assert headers >= {"ETag", "Cache-Control", "Vary", "X-Request-ID"}, path
        if "{" in path:
            continue
        first = content_client.get(path)
        documented = {name.lower() for name in operation["responses"]["200"]["headers"]}
        assert {
            "etag",
            "cache-control",
            "vary",
            "content-language",
        } <= documented & first.headers.keys()
        again = content_client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304


# The examples are real.


def test_every_body_has_one_example_and_it_fits_its_schema(document: Json) -> None:
    components = {"components": document["components"]}
    for method, path, operation in operations(document):
        for whose, media_type, body in bodies(document, operation):
            place = (method, path, whose)
            if "example" in body:
                example = body["example"]
            else:
                assert len(body.get("examples", {})) == 1, f"{place}: add it to examples.py"
                (named,) = body["examples"].values()
                example = resolve(document, named)["value"]
            schema = components | body["schema"]
            checker = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
            faults = [str(fault) for fault in checker.iter_errors(example)]
            assert not faults, (place, media_type, faults[:3])


def test_examples_are_what_the_app_answers(
    client: TestClient, make_client: AppMaker, clock: FakeClock, tmp_path: Path
) -> None:
    url = client.app.state.context.settings.database_url  # type: ignore[attr-defined]
    publish_a_week(url, tmp_path)
    limited = make_client(database_url=url, rate_limit_public="1/minute")
    recorded = record(client, limited, give_key(url, clock))
    if "RECORD_EXAMPLES" in os.environ:
        text = json.dumps(recorded, indent=1, ensure_ascii=False)
        EXAMPLES.write_text(f"{text}\n", "utf-8")
    message = "record them again, as tests/contract/examples.py says"
    assert recorded == json.loads(EXAMPLES.read_bytes()), message


# The tools that others use find nothing to complain about.


def node_tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the npm tools."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    tool = NODE_FOLDER / "node_modules" / ".bin" / name
    if not tool.exists():
        pytest.skip("run: npm ci --prefix tests/contract/openapi_lint")
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return subprocess.run(
        [tool, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=NODE_FOLDER,
        env=os.environ | quiet,
    )


@pytest.mark.lint
def test_spectral_finds_nothing_by_its_own_rules_nor_by_those_of_owasp() -> None:
    run = node_tool(
        "spectral", "lint", RECORDED_FILE, "--ruleset", ".spectral.yaml", "--fail-severity=hint"
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.lint
def test_redocly_finds_nothing() -> None:
    run = node_tool("redocly", "lint", RECORDED_FILE, "--config", "redocly.yaml", "--format=json")
    assert json.loads(run.stdout)["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, (
        run.stdout
    )


def test_the_lock_file_of_the_npm_tools_names_no_registry() -> None:
    tests = NODE_FOLDER.parents[1]
    locks = [path for path in tests.rglob("package-lock.json") if "node_modules" not in path.parts]
    assert len(locks) >= 2
    for lock in locks:
        packages = json.loads(lock.read_bytes())["packages"]
        assert len(packages) > 1
        assert not [name for name, said in packages.items() if "resolved" in said]


@pytest.mark.lint
def test_types_generated_from_it_hold_a_client_to_the_contract(tmp_path: Path) -> None:
    for name in ("client.ts", "tsconfig.json"):
        shutil.copy(NODE_FOLDER / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE_FOLDER / "node_modules")
    made = node_tool("openapi-typescript", RECORDED_FILE, "--output", tmp_path / "api.d.ts")
    assert made.returncode == 0, made.stderr
    checked = node_tool("tsc", "--project", tmp_path)
    assert checked.returncode == 0, checked.stdout
