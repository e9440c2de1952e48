"""The documents are product: their commands run, their answers are true, their lists complete."""

import ast
import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.testclient import TestClient

import api
from api.commands.app import LazyCommand
from api.commands.app import app as command
from api.content.catalogue import ENTRY_FILES, HEAD_FILE
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.errors import Problem
from api.http.pages import decode_cursor, encode_cursor
from tests.aggregates.published import publish_a_week
from tests.conftest import AppMaker
from tests.support import databases, time_travel
from tests.support.budget import FULL
from tests.support.clinician import give_key
from tests.support.clock import FakeClock
from tests.support.device import CONSENT_VERSION, Device
from tests.support.document import RECORDED
from tests.support.server import FOOTING, Server, environment, launcher, running_server

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "…"
# Places in the documents, and their replacements in a test.
DOCUMENTED_SERVER = "localhost:8000"
DOCUMENTED_POSTGRES = "postgresql://footing:secret@localhost/footing"
# Blocks that a test can't run are marked `console`; each command in them has its reason here.
NOT_RUN = {
    "Closed week": "is what the command above it prints",
    "docker": "needs a container engine",
    "export": "belongs to the commands after it",
    "footing serve": "serves until it is stopped; every other command here runs against it",
    "footing publish": "has something to close only weeks after the first migration",
    "footing seed --folder corrected-seed": "stands for a mended rule set",
    "footing seed --signing-key": "needs the key that openssl makes",
    "footing rules withdraw": "names a rule set that was wrong",
    "FORWARDED_ALLOW_IPS": "serves until it is stopped",
    "curl": "needs a key of the server that it asks",
    "openssl": "is the operator's own",
    "openapi-generator-cli": "needs Java",
    "pg_dump": "needs PostgreSQL's own tools",
    "pg_restore": "needs PostgreSQL's own tools",
    ".venv/bin/python -m pytest tests/journal": "would run tests inside a test",
    ".venv/bin/footing migrate": "belongs to the command after it",
    ".venv/bin/alembic revision": "would add a migration to the project",
}


@dataclass(frozen=True)
class Block:
    language: str
    text: str


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(path.read_text("utf-8"))]


def has_commands(path: Path) -> bool:
    return any(block.language == "bash" for block in blocks(path))


WITH_COMMANDS = [path for path in DOCUMENTS if has_commands(path)]

# Running commands, and holding what they print against what is written below them.


@pytest.fixture(scope="module")
def served(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The database behind the server that the documents talk to; a week is published in it."""
    folder = tmp_path_factory.mktemp("served")
    with databases.fresh_database("sqlite", templates, folder) as url:
        publish_a_week(url, folder)
        yield url


@pytest.fixture(scope="module")
def server(served: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the documents talk to."""
    with running_server(served, tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A copy of the project for commands to write into, on the interpreter that runs the tests."""
    folder = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "*.db*")
    shutil.copytree(ROOT, folder, ignore=ignored)
    # The environment of the tests, in which `footing` starts without importing everything again.
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for found in [*Path(sys.prefix).iterdir(), *Path(sys.prefix, "bin").iterdir()]:
        place = folder / ".venv" / found.relative_to(sys.prefix)
        if found.name not in {"bin", FOOTING.name}:
            place.symlink_to(found)
    with launcher(programs / FOOTING.name):
        yield folder


def run_blocks(
    path: Path, folder: Path, replacements: dict[str, str], variables: dict[str, str]
) -> list[str]:
    """Run a document's commands in one shell, as a reader would; return what each block printed."""
    script = ["set -euo pipefail"]
    if time_travel.OFFSET in os.environ:
        # A reader's own `date`, at the time at which the server lives.
        later = "$(($(command date +%s) + ${TEST_TIME_OFFSET%.*}))"
        script.append(f'date() {{ command date --date="@{later}" "$@"; }}')
    commands = [block.text for block in blocks(path) if block.language == "bash"]
    for number, text in enumerate(commands):
        for documented, real in replacements.items():
            text = text.replace(documented, real)  # noqa: PLW2901  # the reader's own place
        script.append(f"echo 'block {number}' >&2\n{{\n{text}}} > {folder}/printed-{number}")
    env = environment("", PATH=os.environ["PATH"])
    del env["FOOTING_DATABASE_URL"]
    del env["FOOTING_PATH"]
    env |= {
        "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}",
        # `make` says what it would do: doing it would run these tests in themselves.
        "MAKEFLAGS": "n",
        **variables,
    }
    shell = ["bash", "-c", "\n".join(script)]
    done = subprocess.run(
        shell, env=env, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{name_of(path)}:\n{done.stderr[-3000:]}"
    return [(folder / f"printed-{number}").read_text("utf-8") for number in range(len(commands))]


def differences(shown: Any, real: Any, place: str = "") -> Iterator[str]:
    """Return where a response differs from the document; fields may be omitted, … is any text."""
    if isinstance(shown, dict) and isinstance(real, dict):
        for key, value in shown.items():
            if key in real:
                yield from differences(value, real[key], f"{place}/{key}")
            else:
                yield f"{place}/{key} is not there"
    elif isinstance(shown, list) and isinstance(real, list):
        whole = shown[-1:] != [LEFT_OUT]
        entries = shown if whole else shown[:-1]
        if len(real) != len(entries) if whole else len(real) <= len(entries):
            yield f"{place} has {len(real)} entries"
        for index, (one, other) in enumerate(zip(entries, real, strict=False)):
            yield from differences(one, other, f"{place}/{index}")
    elif isinstance(shown, str) and isinstance(real, str):
        if not as_shown(shown, real):
            yield f"{place}: {real!r}"
    elif shown != real or type(shown) is not type(real):
        yield f"{place}: {real!r}"


def as_shown(shown: str, real: str) -> bool:
    pattern = ".*".join(map(re.escape, shown.split(LEFT_OUT)))
    return re.fullmatch(pattern, real, re.DOTALL) is not None


def http_differences(shown: str, printed: str) -> Iterator[str]:
    """Hold an answer with its status and some of its headers against what `curl -i` printed."""
    head, _, body = shown.partition("\n\n")
    real_head, _, real_body = printed.partition("\n\n")
    status, *headers = head.splitlines()
    real_status, *real_headers = real_head.splitlines()
    if not as_shown(status, real_status):
        yield real_status
    for header in headers:
        if not any(as_shown(header.lower(), real.lower()) for real in real_headers):
            yield f"no header is {header}"
    if body.strip():
        yield from differences(json.loads(body), json.loads(real_body))


def answer_differences(answer: Block, printed: str) -> list[str]:
    printed = printed.replace("\r\n", "\n")
    if answer.language == "http":
        return list(http_differences(answer.text, printed))
    if answer.language == "json":
        return list(differences(json.loads(answer.text), json.loads(printed)))
    lines = printed.splitlines()
    shown = answer.text.splitlines()
    return [line for line in shown if not any(as_shown(line, real) for real in lines)]


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name_of)
def test_every_command_of_a_document_runs_and_prints_the_documented_output(
    path: Path, request: pytest.FixtureRequest, clone: Path, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        replacements, variables = {}, {}
        text = path.read_text("utf-8")
        if DOCUMENTED_SERVER in text:
            server: Server = request.getfixturevalue("server")
            replacements[DOCUMENTED_SERVER] = server.url.removeprefix("http://")
        if "$KEY" in text:
            # What `footing clinician add` has printed before.
            variables["KEY"] = give_key(request.getfixturevalue("served"), SystemClock())
        if DOCUMENTED_POSTGRES in text:
            empty = databases.empty_database("postgresql", tmp_path)
            replacements[DOCUMENTED_POSTGRES] = stack.enter_context(empty)
        printed = run_blocks(path, clone, replacements, variables)
    wrong = {}
    every = blocks(path)
    outputs = iter(printed)
    for block, below in zip(every, [*every[1:], Block("", "")], strict=True):
        if block.language != "bash":
            continue
        output = next(outputs)
        if below.language in {"http", "json", "text"} and (
            found := answer_differences(below, output)
        ):
            wrong[block.text] = found
    assert not wrong


def test_an_answer_that_is_not_as_shown_is_found() -> None:
    answer = {"id": "x1", "level": "urgent", "items": [1, 2], "note": None}
    assert not list(differences({"id": "x…", "items": [1, "…"], "note": None}, answer))
    for untrue in (
        {"level": "emergency"},
        {"items": [1]},
        {"items": [1, 2, "…"]},
        {"surprise": None},
        {"note": False},
        {"id": "y…"},
    ):
        assert list(differences(untrue, answer)), untrue
    printed = 'HTTP/1.1 201 Created\netag: "a.br"\n\n{"id": "x1"}'
    assert not list(http_differences('HTTP/1.1 201 Created\netag: "….br"\n\n{"id": "x1"}', printed))
    assert list(http_differences('HTTP/1.1 200 OK\n\n{"id": "x1"}', printed))
    assert list(http_differences("HTTP/1.1 201 Created\nvary: a", printed))


def test_a_command_that_is_not_run_has_its_reason() -> None:
    commands = [
        line.removeprefix("$ ")
        for path in DOCUMENTS
        for block in blocks(path)
        if block.language == "console"
        for line in block.text.splitlines()
    ]
    assert commands
    assert not [line for line in commands if not line.startswith(tuple(NOT_RUN))]
    assert not [start for start in NOT_RUN if not any(line.startswith(start) for line in commands)]


@pytest.mark.parametrize(
    ("target", "steps"),
    [
        ("run", ["serve --prepare --port 8000"]),
        ("demo", ["migrate", "seed", "demo", "serve --port 8000"]),
    ],
)
def test_make_serves_where_the_readme_says(clone: Path, target: str, steps: list[str]) -> None:
    done = subprocess.run(
        ["make", "-n", target], cwd=clone, capture_output=True, text=True, check=True
    )
    found = [line for line in done.stdout.splitlines() if "/footing " in line]
    assert found == [f".venv/bin/footing {step}" for step in steps]
    assert f"http://{DOCUMENTED_SERVER}" in (ROOT / "README.md").read_text("utf-8")


def test_every_make_target_that_a_document_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for path in DOCUMENTS
        for target in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert {"run", "test"} <= named
    assert named <= targets


def test_the_access_line_is_as_the_document_shows(server: Server) -> None:
    (shown,) = (
        json.loads(block.text)
        for block in blocks(DOCS / "operators.md")
        if block.language == "json" and '"event"' in block.text
    )
    line = next(line for line in server.log.splitlines() if '"event": "request"' in line)
    assert list(json.loads(line)) == list(shown)


# Lists that must be complete.


def table(path: Path, heading: str = "") -> list[list[str]]:
    """Return the rows of a document's tables below a heading, without their heads."""
    text = path.read_text("utf-8")
    if heading:
        text = text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
        assert text, heading
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    heads = [index - 1 for index, row in enumerate(rows) if set("".join(row)) <= set("-| ")]
    return [row for index, row in enumerate(rows) if index not in heads and index - 1 not in heads]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_setting_is_documented_with_the_default_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = table(DOCS / "settings.md")
    fields = {f"FOOTING_{name.upper()}": name for name in Settings.model_fields}
    assert [words(row[0]) for row in rows] == [[name] for name in fields]
    for variable, _, default, meaning in rows:
        assert meaning.endswith(".")
        name = fields[words(variable)[0]]
        if name == "seed_folder":
            continue  # a place of this machine
        if words(default) == ["none"]:
            assert Settings.model_fields[name].default is None, name
            continue
        monkeypatch.setenv(words(variable)[0], words(default)[0])
        assert getattr(Settings(), name) == Settings.model_fields[name].default, name


def test_every_variable_that_is_named_anywhere_exists() -> None:
    known = {f"FOOTING_{name.upper()}" for name in Settings.model_fields}
    known |= {
        variable
        for found in every_command(typer.main.get_command(command))
        for parameter in found.params
        for variable in [parameter.envvar]
        if isinstance(variable, str)
    }
    named = {
        variable
        for path in DOCUMENTS
        for variable in re.findall(r"FOOTING_[A-Z_]+", path.read_text("utf-8"))
    }
    assert known == named


def every_command(found: Any, path: str = "footing") -> Iterator[Any]:
    """Return the commands that do something, each with its whole name."""
    for name, listed in getattr(found, "commands", {}).items():
        sub = listed.load() if isinstance(listed, LazyCommand) else listed
        if hasattr(sub, "commands"):
            yield from every_command(sub, f"{path} {name}")
        else:
            sub.name = f"{path} {name}"
            yield sub


def test_every_command_is_listed_with_its_options() -> None:
    rows = table(DOCS / "operators.md", "## All commands")
    listed = {words(name)[0]: sorted(words(does)) for name, does in rows}
    assert listed == {
        found.name: sorted(
            option
            for parameter in found.params
            for option in parameter.opts
            if option.startswith("--") and option != "--help"
        )
        for found in every_command(typer.main.get_command(command))
    }


def subclasses(cls: type[Problem]) -> Iterator[type[Problem]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_every_problem_is_documented_with_its_status() -> None:
    rows = table(DOCS / "problems.md", "## Problems")
    documented = {words(code)[0]: int(status) for code, status, *_ in rows}
    assert len(rows) == len(documented)
    assert documented == {cls.code: cls.status for cls in subclasses(Problem)}


def documented_fault_codes() -> tuple[set[str], set[str]]:
    """Return the codes of meaning and those of shape."""
    meaning: list[str] = []
    shape: list[str] = []
    for row in table(DOCS / "problems.md", "## Codes inside `errors`"):
        (meaning if len(row) == 3 else shape).extend(words(row[0]))
    assert len({*meaning, *shape}) == len(meaning) + len(shape)
    return set(meaning), set(shape)


def codes_in_the_source() -> set[str]:
    """Collect the codes that our own code gives to faults."""
    codes = set()
    for path in Path(api.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Fault":
                code = node.args[1]
                if isinstance(code, ast.Constant):
                    codes.add(str(code.value))
                else:
                    # Pydantic's own names pass through in one place.
                    assert path.name == "problems.py", f"{path}:{node.lineno}"
    return codes


def test_every_code_inside_adjusted_is_documented() -> None:
    codes = {
        keyword.value.value
        for path in Path(api.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Adjustment"
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    documented = table(DOCS / "problems.md", "## Codes inside `adjusted`")
    assert {code for row in documented for code in words(row[0])} == codes


def sample(document: Json, schema: Json) -> Any:
    """Make a value of a schema."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" and schema.get("properties"):
        return {name: sample(document, part) for name, part in schema["properties"].items()}
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if kind == "array":
        return [sample(document, schema["items"])]
    return {"integer": schema.get("minimum", 0), "boolean": True, "object": {}}.get(str(kind), "x")


WRONG: list[Any] = [
    *(
        None,
        1.5,
        10**30,
        [],
        [None] * 1000,
        {"x": "no"},
        dict.fromkeys(map(str, range(1200)), "no"),
    ),
    *("", "x", "x" * 9000, "\ud800", "2026-02-30", "2026-13-45T99:99:99Z", "2026-11-24T00:00:00Z"),
]
WRONG_QUERY = ["", "xx", "0", "1000", "1" * 5000, "x" * 600]


def broken(value: Any, tried: set[str], name: str = "") -> Iterator[Any]:
    """Return copies of a body, each with one thing wrong in it.

    What has the same name in two bodies mostly means the same: unless everything is to be tried,
    it is broken in the first one only.
    """
    if name in tried and not FULL:
        return
    tried.add(name)
    yield from WRONG
    if isinstance(value, dict):
        yield {**value, "surprise": 1}
        for key in value:
            yield {other: inner for other, inner in value.items() if other != key}
            for wrong in broken(value[key], tried, key):
                yield {**value, key: wrong}
    if isinstance(value, list):
        for index, entry in enumerate(value):
            for wrong in broken(entry, tried, f"{name}[]"):
                yield [*value[:index], wrong, *value[index + 1 :]]


def nonsense(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Make invalid requests for every endpoint: its path, its query, and each place of its body."""
    queries: set[str] = set()
    tried: set[str] = set()
    for path, operations in document["paths"].items():
        url = re.sub(r"\{.*?\}", "toe-curls", path)
        for method, operation in operations.items():
            if method == "delete":
                continue  # takes no body and no query, and could revoke the device that asks
            yield method, url, {}
            for parameter in operation.get("parameters", ()):
                # The same parameter of another endpoint returns the same.
                if parameter.get("in") == "query" and json.dumps(parameter) not in queries:
                    queries.add(json.dumps(parameter))
                    for wrong in WRONG_QUERY:
                        yield method, url, {"params": {parameter["name"]: wrong}}
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                for wrong in broken(sample(document, schema), tried, f"{method} {path}"):
                    yield method, url, {"content": json.dumps(wrong)}


def for_clinicians(document: Json) -> set[str]:
    """Return the paths of clinician endpoints."""
    return {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if {"clinicianToken": []} in operation["security"]
    }


def codes_that_clients_meet(client: TestClient, key: str) -> set[str]:
    """Send invalid requests to every endpoint, and collect the returned codes."""
    device = Device(client)
    device.enrol()
    closed = for_clinicians(RECORDED)
    clinician = {"Authorization": f"Bearer {key}"}
    session = device.session()
    consent = {"version": CONSENT_VERSION, "storage": True, "research": False}
    enrolment = {"time_zone": "Europe/Madrid", "language": "en", "consent": consent}
    by_hand = (
        ("/v1/participants", enrolment | {"conditions": ["quokka"]}),
        ("/v1/sessions", session | {"replaces": session["id"]}),
        ("/v1/sessions", session | {"ended_at": "2026-11-22T01:00:00Z"}),
        ("/v1/symptom-reports", device.report({"fever": "perhaps"})),
        ("/v1/batches", {"sessions": [None] * 300, "symptom_reports": [None] * 300}),
        ("/v1/batches", {"sessions": [None]}),
        ("/v1/symptom-reports", device.report(pain_score=math.nan)),
        ("/v1/sessions", session),
        ("/v1/sessions", session | {"pain_after": 9}),
    )
    owner, _, record_id = decode_cursor(device.get("/v1/changes").json()["next_cursor"], 3)
    ahead = encode_cursor(owner, "4000000000", record_id)
    series, figure = "/v1/aggregates/series", {"table": "routine", "stat": "people"}
    on_mars = json.dumps(device.schedule(time_zone="Mars/Olympus_Mons"))
    requests = [
        *nonsense(RECORDED),
        ("put", "/v1/me/schedule", {"content": on_mars}),
        ("get", series, {"params": {**figure, "key": "somebody"}}),
        ("get", series, {"params": {**figure, "key": "personalised", "from": "1999-01-04"}}),
        *(("post", url, {"content": json.dumps(wrong)}) for url, wrong in by_hand),
        ("get", "/v1/exercises", {"params": {"equipement": "towel"}}),
        ("get", "/v1/changes", {"params": {"cursor": ahead}}),
    ]
    codes: set[str] = set()
    for method, url, request in requests:
        caller = clinician if url in closed else device.headers
        headers = {**caller, "Content-Type": "application/json"}
        response = client.request(method, url, headers=headers, **request)
        assert response.status_code < 500, (method, url, request, response.text)
        if response.status_code >= 400:
            codes.update(error["code"] for error in response.json()["errors"])
        elif url == "/v1/batches":
            receipts = response.json()["receipts"]
            codes.update(receipt["code"] for receipt in receipts if receipt.get("code"))
    return codes


@pytest.mark.fuzz
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_code_inside_errors_is_documented_and_none_is_made_up(
    database_url: str, make_client: AppMaker, clock: FakeClock
) -> None:
    limits = dict.fromkeys(
        (
            "rate_limit_public",
            "rate_limit_participant",
            "rate_limit_clinician",
            "rate_limit_enrolment",
        ),
        "1000000/minute",
    )
    client = make_client(database_url=database_url, **limits)
    met = codes_that_clients_meet(client, give_key(database_url, clock))
    meaning, shape = documented_fault_codes()
    own = codes_in_the_source()
    # Pydantic's own names for these two are replaced.
    assert own | {"missing_field", "unknown_field"} == meaning
    assert met - meaning == shape
    # A fault of ours can't be brought about from outside.
    assert meaning - {"internal_error"} <= met


def every_operation() -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, operations in RECORDED["paths"].items()
        for method in operations
    }


def test_every_endpoint_is_listed_in_the_documents() -> None:
    rows = [
        *table(DOCS / "app-teams.md", "## All endpoints"),
        *table(DOCS / "operators.md", "## Health and monitoring"),
    ]
    listed = [operation for row in rows for operation in words(row[0])]
    assert len(set(listed)) == len(listed)
    # What the document does not list itself.
    pages = {"GET /docs", "GET /docs/{name}", "GET /v1/openapi.json"}
    assert set(listed) == every_operation() | pages


def test_every_seed_file_is_explained() -> None:
    rows = table(DOCS / "content.md", "## The files")
    listed = [name for row in rows for name in words(row[0])]
    assert sorted(listed) == sorted([*ENTRY_FILES, HEAD_FILE, "media/*.svg"])


def test_the_decision_records_are_listed_numbered_and_short() -> None:
    folder = DOCS / "adr"
    records = sorted(folder.glob("0*.md"))
    listed = re.findall(r"\]\((0.*?\.md)\) \| (.*) \|", (folder / "README.md").read_text("utf-8"))
    assert [name for name, _ in listed] == [path.name for path in records]
    for number, (path, (_, title)) in enumerate(zip(records, listed, strict=True), start=1):
        text = path.read_text("utf-8")
        assert text.startswith(f"# {number:04} {title}\n"), path.name
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, path.name
        assert len(text.split()) < 500, path.name


def test_the_layers_are_those_that_lint_enforces() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    (drawn,) = (
        block.text
        for block in blocks(DOCS / "architecture.md")
        if block.text.startswith("commands ")
    )
    assert [line.partition("  ")[0] for line in drawn.splitlines()] == layers


# Modules whose purpose follows from their name; the section about layers explains these.
COMMON = {
    *("__init__", "router", "deps", "service", "reading", "checks", "models", "registry"),
    *("schemas", "errors"),
}


def test_every_module_is_described_in_the_architecture() -> None:
    described = re.findall(
        r"^\*\*`(\w+)`\*\* – (.*)$",
        (DOCS / "architecture.md").read_text("utf-8"),
        re.MULTILINE,
    )
    named = {package: set(re.findall(r"`(\w+)`", text)) for package, text in described}
    packages = {path.parent.name for path in (ROOT / "api").glob("*/__init__.py")}
    assert named.keys() == packages
    # One module for each command, which `app` lists.
    for package in packages - {"commands"}:
        modules = {path.stem for path in (ROOT / "api" / package).glob("*.py")}
        assert not modules - COMMON - named[package], package


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_that_a_document_names_is_there(path: Path) -> None:
    named = re.findall(r"`(\w[\w./-]*/[\w.-]+\.(?:py|md|json|toml))`", path.read_text("utf-8"))
    places = (ROOT, ROOT / "api", ROOT / "seed")
    assert not [name for name in named if not any((place / name).exists() for place in places)]


# Links.


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    text = FENCE.sub("", path.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_between_documents_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text("utf-8"))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead
