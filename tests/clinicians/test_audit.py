"""The audit log: no clinician's query is answered that it does not show, and it stays as it was."""

import csv
import io
import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pytest
from fastapi import APIRouter, Path, Query
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient

from api.clinicians.deps import AuditedRoute, ClinicianCaller, ClinicianOnly
from api.clinicians.keys import read_key
from api.clinicians.models import AuditEntry
from api.core.config import Settings
from api.core.errors import NotFound
from api.http.deps import ReadDb
from api.main import create_app
from tests.clinicians.conftest import Footing
from tests.conftest import AppMaker
from tests.core.stored import execute, in_database, rows
from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock

# Calls such as those that aggregates will have.
aggregates = APIRouter(route_class=AuditedRoute, dependencies=[ClinicianOnly])
unaudited = APIRouter()
Table = Annotated[str, Path(max_length=20)]


@aggregates.get("/tables/{table}")
async def read_table(
    table: Table,
    db: ReadDb,
    stat: Literal["mean", "count"] = "mean",
    key: Annotated[list[str] | None, Query()] = None,
) -> dict[str, str]:
    await db.execute(text("SELECT 1"))
    if table == "nothing":
        raise NotFound("Unknown table.")
    if table == "broken":
        message = "a fault of ours"
        raise RuntimeError(message)
    return {"secret": "figures", "stat": stat, "keys": " ".join(key or [])}


@aggregates.get("/as/{form}")
async def read_form(form: Table) -> Response:
    if form == "unchanged":
        return Response(status_code=304)

    async def lines() -> Any:
        yield b"secret,figures\r\n"
        yield b"1,2\r\n"

    return StreamingResponse(lines(), media_type="text/csv")


@unaudited.get("/forgotten")
async def read_unseen(_: ClinicianCaller) -> dict[str, str]:
    return {"secret": "figures"}


@pytest.fixture
def settings() -> dict[str, Any]:
    return {}


@pytest.fixture
def clinician(database_url: str, clock: FakeClock, settings: dict[str, Any]) -> Iterator[Clinician]:
    """A clinician with a key, and an app that has such endpoints."""
    app = create_app(Settings(database_url=database_url, **settings), clock)
    app.include_router(aggregates, prefix="/v1/test")
    app.include_router(unaudited, prefix="/v1/test")
    with ExitStack() as stack:
        client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
        yield Clinician(client, give_key(database_url, clock))


def test_a_query_is_written_down_whole(clinician: Clinician, database_url: str) -> None:
    answer = clinician.get("/v1/test/tables/routine", stat="count")
    assert answer.status_code == 200
    key = read_key(clinician.token)
    assert key is not None
    (entry,) = rows(database_url, AuditEntry)
    assert entry.pop("asked_at").isoformat() == "2026-11-22T12:00:00+00:00"
    assert entry == {
        "number": 1,
        "kind": "key",
        "who": key.key_id.hex,
        "name": "Ward 3",
        "operation": "readTable",
        "parameters": {"table": "routine", "stat": "count"},
        "status": 200,
        "request_id": answer.headers["X-Request-ID"],
    }


@pytest.mark.parametrize(
    ("path", "status", "parameters"),
    [
        ("tables/routine?key=a&key=b", 200, {"table": "routine", "key": ["a", "b"]}),
        ("as/csv", 200, {"form": "csv"}),
        ("as/unchanged", 304, {"form": "unchanged"}),
        # Values of rejected parameters could be anything.
        ("tables/nothing", 404, {"table": None}),
        ("tables/routine?stat=Quokka", 422, {"table": None, "stat": None}),
        ("tables/" + "x" * 21, 422, {"table": None}),
        ("tables/broken", 500, {"table": "broken"}),
    ],
)
def test_whatever_the_answer_is_the_query_is_written_down_with_its_status(
    clinician: Clinician, database_url: str, path: str, status: int, parameters: dict[str, Any]
) -> None:
    assert clinician.get(f"/v1/test/{path}").status_code == status
    (entry,) = rows(database_url, AuditEntry)
    assert (entry["status"], entry["parameters"]) == (status, parameters)


def test_an_unknown_parameter_is_rejected_and_not_logged(
    clinician: Clinician, database_url: str
) -> None:
    asked = {"access_token": clinician.token, "participant": "Quokka"}
    assert clinician.get("/v1/test/tables/routine", **asked).status_code == 422
    (entry,) = rows(database_url, AuditEntry)
    assert (entry["status"], entry["parameters"]) == (422, {"table": None})


def test_a_query_for_the_headers_alone_is_a_query(clinician: Clinician, database_url: str) -> None:
    headers = {"Authorization": f"Bearer {clinician.token}"}
    assert clinician.client.head("/v1/clinician", headers=headers).status_code == 200
    (entry,) = rows(database_url, AuditEntry)
    assert entry["operation"] == "getClinician"


def test_a_key_without_the_scope_is_written_down_and_a_stranger_is_not(
    clinician: Clinician, database_url: str
) -> None:
    Clinician(clinician.client, "fc_nonsense").get()
    clinician.client.get("/v1/clinician")
    assert rows(database_url, AuditEntry) == []
    execute(database_url, "UPDATE clinician_key SET scopes = '[]'")
    assert clinician.get().status_code == 403
    (entry,) = rows(database_url, AuditEntry)
    assert entry["status"] == 403


FAIL_ON_ENTRIES = {
    "sqlite": """
        CREATE TRIGGER fail BEFORE INSERT ON audit_entry
        BEGIN SELECT RAISE(ABORT, 'no entry today'); END
    """,
    "postgresql": "ALTER TABLE audit_entry ADD CONSTRAINT no_entry_today CHECK (status = 0)",
}


@pytest.mark.parametrize("path", ["tables/routine", "as/csv", "tables/nothing", "as/unchanged"])
def test_a_query_that_cannot_be_logged_is_not_answered(
    clinician: Clinician, database_url: str, path: str
) -> None:
    execute(database_url, FAIL_ON_ENTRIES[database_url.partition(":")[0]])
    refused = clinician.get(f"/v1/test/{path}")
    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "unavailable"
    assert int(refused.headers["Retry-After"]) >= 1
    assert "figures" not in refused.text
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]


@pytest.mark.parametrize("settings", [{"database_pool_size": 1}])
def test_a_query_does_not_hold_one_connection_while_it_waits_for_another(
    clinician: Clinician, database_url: str
) -> None:
    assert clinician.get("/v1/test/tables/routine").status_code == 200
    assert len(rows(database_url, AuditEntry)) == 1


def test_an_endpoint_without_the_audit_log_does_not_work(clinician: Clinician) -> None:
    refused = clinician.get("/v1/test/forgotten")
    assert refused.status_code == 500
    assert "figures" not in refused.text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET status = 200",
        "UPDATE audit_entry SET number = 9 WHERE number = 1",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE number = 1",
        "TRUNCATE audit_entry",
        (
            "INSERT OR REPLACE INTO audit_entry SELECT number, asked_at, kind, 'x', name,"
            " operation, parameters, status, request_id FROM audit_entry"
        ),
    ],
)
def test_an_entry_can_neither_be_changed_nor_deleted(
    clinician: Clinician, database_url: str, statement: str
) -> None:
    clinician.get()
    before = rows(database_url, AuditEntry)
    with pytest.raises(DBAPIError) as refused:
        execute(database_url, statement)
    own = "REPLACE" if database_url.startswith("postgresql") else "TRUNCATE"
    assert "never" in str(refused.value.orig) or own in statement, "the other's syntax"
    assert rows(database_url, AuditEntry) == before


@pytest.fixture
def server_role(database_url: str) -> Iterator[str]:
    """A role that owns nothing and may only insert into the log; yield its database URL."""
    role = f"server_{uuid.uuid4().hex}"
    execute(
        database_url,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE ALL ON audit_entry FROM {role}",
        # As docs/clinicians.md says.
        f"GRANT INSERT ON audit_entry TO {role}",
        f"GRANT USAGE ON SEQUENCE audit_entry_number_seq TO {role}",
    )
    yield (
        urlsplit(database_url)
        ._replace(netloc=f"{role}@{urlsplit(database_url).netloc.rpartition('@')[2]}")
        .geturl()
    )
    execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_may_only_insert_into_the_log_answers(
    server_role: str, database_url: str, clock: FakeClock, make_client: AppMaker
) -> None:
    key = give_key(database_url, clock)
    client = make_client(database_url=server_role)
    assert Clinician(client, key).get().status_code == 200
    assert len(rows(database_url, AuditEntry)) == 1
    with pytest.raises(DBAPIError, match="permission denied"):
        execute(server_role, "SELECT * FROM audit_entry")


def fill(database_url: str, clock: FakeClock, count: int) -> None:
    """Write entries of the past into the log."""

    async def write(db: AsyncSession) -> None:
        entry = {"kind": "key", "who": uuid.uuid4().hex, "name": "Früher", "operation": "readTable"}
        rest = {"parameters": {"table": "routine"}, "status": 200, "request_id": "0" * 32}
        at = clock.now()
        await db.execute(
            insert(AuditEntry), [{**entry, **rest, "asked_at": at} for _ in range(count)]
        )

    in_database(database_url, write)


def printed(footing: Footing, *arguments: str) -> list[dict[str, Any]]:
    done = footing("audit", "--format", "jsonl", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_command_prints_all_of_a_long_log_in_its_order(
    clinician: Clinician, footing: Footing, database_url: str, clock: FakeClock
) -> None:
    fill(database_url, clock, 2001)
    clinician.get("/v1/test/tables/routine", stat="count")
    entries = printed(footing)
    assert len(entries) == 2002
    last = entries[-1]
    assert last["asked_at"] == "2026-11-22T12:00:00Z"
    assert (last["name"], last["operation"], last["status"]) == ("Ward 3", "readTable", 200)
    assert last["parameters"] == {"table": "routine", "stat": "count"}


def test_the_command_finds_who_and_since_when(
    clinician: Clinician, footing: Footing, database_url: str, clock: FakeClock
) -> None:
    fill(database_url, clock, 1)
    clock.advance(days=1)
    clinician.get()
    key = read_key(clinician.token)
    assert key is not None
    for arguments in (
        ("--who", "Ward 3"),
        ("--who", key.key_id.hex),
        ("--who", str(key.key_id)),
        ("--since", "2026-11-23"),
        ("--since", "2026-11-23T13:00:00+01:00"),
        ("--since", "2026-11-23T12:00Z", "--who", "Ward 3"),
    ):
        assert [entry["name"] for entry in printed(footing, *arguments)] == ["Ward 3"], arguments
    assert printed(footing, "--who", "Nobody") == []
    assert printed(footing, "--since", "2026-11-24") == []
    assert len(printed(footing, "--since", "2026-11-22")) == 2


@pytest.mark.parametrize("since", ["yesterday", "2026-11-22T10:00", "22.11.2026", ""])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_ambiguous_time_is_rejected(footing: Footing, since: str) -> None:
    refused = footing("audit", "--since", since)
    assert refused.returncode == 1
    assert "--since must be" in refused.stderr


def test_the_log_can_be_read_as_a_table_and_as_csv(
    clinician: Clinician, footing: Footing, database_url: str, clock: FakeClock
) -> None:
    fill(database_url, clock, 1)
    clinician.get("/v1/test/tables/routine", stat="count")
    head, first, last = footing("audit").stdout.splitlines()
    assert head.split()[:3] == ["ASKED", "AT", "KIND"]
    assert "Früher" in first
    assert first.index("readTable") == last.index("readTable") == head.index("OPERATION")
    found = list(csv.DictReader(io.StringIO(footing("audit", "--format", "csv").stdout)))
    assert [row["name"] for row in found] == ["Früher", "Ward 3"]
    assert json.loads(found[1]["parameters"]) == {"table": "routine", "stat": "count"}
