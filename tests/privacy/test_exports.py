"""An export is prepared before it is sent: whole or not at all, without blocking other requests."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

import api
from api.core.errors import RateLimited, Unavailable
from api.http import spooled
from api.http.deps import open_db, open_read_db
from api.privacy.exports import Exports
from tests.core.stored import in_database
from tests.privacy.test_fhir import FHIR, sessions
from tests.support.device import Device
from tests.support.full_history import NOTE
from tests.support.server import Server, running_server
from tests.support.waiting import wait_until

JSON = "application/json"


def test_an_export_has_a_length_and_the_name_of_a_file(device: Device) -> None:
    for accept, suffix in ((JSON, "json"), (FHIR, "fhir.json")):
        headers = device.headers | {"Accept": accept}
        response = device.client.get("/v1/me/export", headers=headers)
        assert int(response.headers["Content-Length"]) == len(response.content) > 100
        name = f'attachment; filename="footing-export-2026-11-22.{suffix}"'
        assert response.headers["Content-Disposition"] == name
        head = device.client.head("/v1/me/export", headers=headers)
        assert head.status_code == 200
        assert head.content == b""


@pytest.mark.parametrize("accept", [JSON, FHIR])
def test_an_export_that_fails_is_a_problem_and_never_part_of_a_document(
    device: Device, database_url: str, accept: str
) -> None:
    in_database(database_url, lambda db: db.execute(sessions(device.participant_id, 210)))
    # What no code of ours stores: a hand has damaged the last row.
    last = "SELECT id FROM exercise_session ORDER BY id DESC LIMIT 1"
    damage = f"UPDATE exercise_session SET ended_at = '10000-01-01 00:00:00', note = '{NOTE}'"
    in_database(database_url, lambda db: db.execute(text(f"{damage} WHERE id = ({last})")))
    # Again and again: what failed is not still being sent.
    for _ in range(2):
        response = device.client.get("/v1/me/export", headers=device.headers | {"Accept": accept})
        assert response.status_code == 500
        assert response.json()["code"] == "internal_error"
        assert NOTE not in response.text
    assert device.get("/v1/me").status_code == 200


def test_an_export_without_room_on_the_disk_is_put_off(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    with monkeypatch.context() as patched:
        patched.setattr(spooled, "SpooledTemporaryFile", lambda _: FullDisk())
        response = device.get("/v1/me/export")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert device.get("/v1/me/export").status_code == 200


# Pace


@contextmanager
def unread(server: Server, device: Device) -> Iterator[socket.socket]:
    """Ask for an export and read nothing of it but that it has begun."""
    address = urlsplit(server.url)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(30)
        line.connect((address.hostname, address.port))
        line.sendall(
            b"GET /v1/me/export HTTP/1.1\r\nHost: footing\r\n"
            b"Authorization: Bearer %s\r\n\r\n" % device.token.encode()
        )
        line.recv(1)
        yield line


def enrolled(client: httpx.Client, database_url: str, how_many: int) -> list[Device]:
    """Enrol people whose exports are too long for any buffer between server and client."""
    devices = [Device(client) for _ in range(how_many)]
    item = {"activity_id": "x" * 2_000_000, "kind": "exercise", "side": "left", "seconds": 1}
    for device in devices:
        device.enrol()
        long = sessions(device.participant_id, 2, items=[item])
        in_database(database_url, lambda db, long=long: db.execute(long))  # type: ignore[misc]
    return devices


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_twelve_unread_exports_block_no_other_request(database_url: str, tmp_path: Path) -> None:
    with (
        running_server(database_url, tmp_path, rate_limit_enrolment="100/minute") as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
        ExitStack() as lines,
    ):
        *unreading, other = enrolled(client, database_url, 13)
        for device in unreading:
            lines.enter_context(unread(server, device))
        # The pool has ten connections, and all of them are free.
        assert other.post_session(other.session()).status_code == 201
        assert len(other.get("/v1/sessions", limit=1).json()["items"]) == 1
        assert client.get("/readyz").status_code == 200
        # Who does not read the first one gets no second one; anyone else gets theirs.
        refused = unreading[0].get("/v1/me/export")
        assert refused.status_code == 429
        assert refused.json()["code"] == "rate_limited"
        assert int(refused.headers["Retry-After"]) >= 1
        assert unreading[0].get("/v1/me").status_code == 200
        assert len(other.get("/v1/me/export").json()["sessions"]) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unread_export_ends_and_another_one_can_be_requested(
    database_url: str, tmp_path: Path
) -> None:
    with (
        running_server(database_url, tmp_path, send_timeout_seconds="0.3") as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        (device,) = enrolled(client, database_url, 1)
        with unread(server, device):
            wait_until(lambda: device.get("/v1/me/export").status_code == 200)
        assert len(device.get("/v1/me/export").json()["sessions"]) == 2


def test_few_exports_are_prepared_at_a_time_and_one_for_each_participant() -> None:
    exports = Exports(2)
    one, two, three = (uuid.uuid4() for _ in range(3))
    with exports.prepare(one), exports.prepare(two):
        with pytest.raises(Unavailable) as unavailable, exports.prepare(three):
            pass
        assert unavailable.value.headers["Retry-After"]
        with pytest.raises(RateLimited) as limited, exports.prepare(one):
            pass
        assert limited.value.headers["Retry-After"]
    # Both are prepared and on their way: that costs no one else anything.
    with exports.prepare(three):
        pass
    with pytest.raises(RateLimited), exports.prepare(one):
        pass
    exports.sent(one)
    with exports.prepare(one):
        pass


def test_an_export_that_could_not_be_prepared_is_not_under_way() -> None:
    exports = Exports(1)
    participant_id = uuid.uuid4()
    for _ in range(2):
        with pytest.raises(LookupError), exports.prepare(participant_id):
            raise LookupError
    assert exports.preparing == 0


def test_no_transaction_is_open_while_an_answer_is_sent(client: TestClient) -> None:
    """Whatever opens one gives it back before the first byte, on every route."""
    app: Any = client.app
    opened = []

    def look(dependant: Any, path: str) -> None:
        for dependency in dependant.dependencies:
            if dependency.call in {open_db, open_read_db}:
                opened.append(path)
                assert dependency.scope == "function", path
            look(dependency, path)

    routers = [getattr(route, "original_router", None) for route in app.routes]
    for router in filter(None, routers):
        for route in router.routes:
            look(route.dependant, route.path)
    assert len(opened) > 30


def test_the_export_is_the_only_answer_that_is_sent_in_pieces() -> None:
    package = Path(api.__file__).parent
    streaming = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "StreamingResponse" in path.read_text("utf-8")
    ]
    assert streaming == ["http/spooled.py"]
