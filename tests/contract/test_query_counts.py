"""How many SQL statements the busiest endpoints take: a figure to be changed on purpose only."""

from collections.abc import Callable

import httpx
import pytest
from starlette.testclient import TestClient

from api.core.db import Database
from tests.support.device import Device
from tests.support.statements import listening

Send = Callable[[Device], httpx.Response]
# On SQLite, and on PostgreSQL, which inserts with WITH; BEGIN and COMMIT come on top.
REQUESTS: dict[str, tuple[Send, tuple[int, int]]] = {
    "a session": (lambda device: device.post_session(device.session()), (5, 3)),
    "a symptom report": (lambda device: device.post_report(device.report({"fever": "no"})), (8, 5)),
    "a batch of a hundred sessions": (
        lambda device: device.client.post(
            "/v1/batches",
            json={"sessions": [device.session() for _ in range(100)]},
            headers=device.headers,
        ),
        (7, 7),
    ),
    "a page of sessions": (lambda device: device.get("/v1/sessions"), (2, 2)),
    "a page of changes": (lambda device: device.get("/v1/changes"), (4, 4)),
    "progress": (lambda device: device.get("/v1/me/progress"), (13, 13)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_executes_exactly_the_expected_statements(client: TestClient, name: str) -> None:
    send, by_database = REQUESTS[name]
    device = Device(client)
    device.enrol()
    device.post_session(device.session())
    # Before the one that may follow, which is no late one whatever its id is.
    earlier = {"reported_at": "2026-11-20T10:00:00Z", "local_date": "2026-11-20"}
    assert device.post_report(device.report({"fever": "no"}, **earlier)).status_code == 201
    database: Database = client.app.state.context.database  # type: ignore[attr-defined]
    with listening(database.reader, database.writer) as sent:
        assert send(device).status_code in {200, 201}
    statements = [statement for statement, _ in sent if not statement.startswith("BEGIN")]
    assert len(statements) == by_database[database.dialect == "postgresql"], "\n".join(statements)
