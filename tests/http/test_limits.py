"""Rate limits: announced in headers, and separate for each client."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from api.http.limiter import AWAY_SECONDS
from api.participants.recovery import make_recovery_code
from api.participants.tokens import make_token
from tests.conftest import AppMaker
from tests.journal.test_holds import WISHES
from tests.support.device import CONSENT_VERSION, Device, Json
from tests.support.postgres import free_port
from tests.support.server import running_server
from tests.support.waiting import wait_until_it_listens

ENROLMENT = {
    "time_zone": "Europe/Madrid",
    "language": "en",
    "consent": {"version": CONSENT_VERSION, "storage": True, "research": False},
}


def test_requests_over_the_limit_are_rejected_with_retry_after(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_public="3/hour")
    left = []
    for _ in range(3):
        response = client.post("/v1/triage/evaluations", json={})
        assert response.status_code == 200
        assert response.headers["RateLimit-Policy"] == '"public";q=3;w=3600'
        left.append(response.headers["RateLimit"].partition(";t=")[0])
    assert left == ['"public";r=2', '"public";r=1', '"public";r=0']
    refused = client.post("/v1/triage/evaluations", json={})
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 3601
    assert refused.headers["RateLimit"].startswith('"public";r=0;t=')
    assert refused.headers["RateLimit-Policy"] == '"public";q=3;w=3600'
    assert refused.headers["Retry-After"] in refused.json()["detail"]


def test_enrolments_have_a_limit_of_their_own(database_url: str, make_client: AppMaker) -> None:
    client = make_client(database_url=database_url, rate_limit_enrolment="2/hour")
    answers = [client.post("/v1/participants", json=ENROLMENT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].headers["RateLimit"].startswith('"enrolment";r=0;t=')
    assert client.post("/v1/triage/evaluations", json={}).status_code == 200


def test_one_device_in_a_loop_does_not_limit_another(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_participant="3/hour")
    one, other = Device(client), Device(client)
    one.enrol()
    other.enrol()
    assert [one.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = one.post_session(one.session())
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Policy"] == '"participant";q=3;w=3600'
    assert other.post_session(other.session()).status_code == 201


# Whom a limit hits.


def from_address(client: TestClient, address: str) -> TestClient:
    """Send the client's next requests from this address."""
    transport: Any = client._transport
    transport.client = (address, 50_000)
    return client


def forged(participant_id: str | None = None) -> dict[str, str]:
    """Forge a token, for an existing participant or for none."""
    of = uuid.UUID(participant_id) if participant_id else uuid.uuid4()
    return {"Authorization": f"Bearer {make_token(of, uuid.uuid4())}"}


def test_composing_a_plan_does_not_count_towards_the_limit_of_uploads(
    database_url: str, make_client: AppMaker
) -> None:
    """It is computed and not stored: with or without a token, it counts by address."""
    device = Device(make_client(database_url=database_url, rate_limit_participant="1/hour"))
    device.enrol()
    for _ in range(2):
        composed = device.client.post("/v1/plans", json=WISHES, headers=device.headers)
        assert composed.status_code == 200
        assert composed.headers["RateLimit-Policy"].startswith('"public"')
    assert device.post_session(device.session()).status_code == 201


def test_forged_tokens_do_not_count_for_the_participant_they_name(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_participant="3/hour")
    victim = Device(client)
    victim.enrol()
    headers = [forged(victim.participant_id) for _ in range(5)]
    assert [client.get("/v1/me", headers=each).status_code for each in headers] == [
        *[401] * 3,
        *[429] * 2,
    ]
    # Not even from the same address, such as that of a hospital.
    assert [victim.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/me"), ("POST", "/v1/sessions"), ("POST", "/v1/plans"), ("DELETE", "/v1/me")],
)
def test_forged_tokens_are_limited_by_address_whatever_name_they_bear(
    database_url: str, make_client: AppMaker, method: str, path: str
) -> None:
    client = make_client(database_url=database_url, rate_limit_participant="3/hour")
    sent: Json = {"minutes": 15, "equipment": [], "positions": []} if "plans" in path else {}
    bad: list[dict[str, str]] = [*(forged() for _ in range(2)), {"Authorization": "Bearer fp_x"}]
    answers = [client.request(method, path, headers=each, json=sent) for each in (*bad, forged())]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 3601
    for answer in answers:
        assert answer.headers["RateLimit-Policy"] == '"participant";q=3;w=3600'
    # The failures of others behind an address are not revealed.
    assert "RateLimit" not in answers[0].headers
    other = from_address(client, "203.0.113.7")
    assert other.request(method, path, headers=forged(), json=sent).status_code == 401


def test_wrong_recovery_codes_are_limited_by_address_whatever_code_they_are(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_participant="3/hour")
    codes = [{"recovery_code": str(make_recovery_code())} for _ in range(4)]
    answers = [client.post("/v1/devices", json=code).status_code for code in codes]
    assert answers == [401, 401, 401, 429]


def test_an_erased_participant_gets_410_and_is_slowed_down_like_any_other(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_participant="2/hour")
    gone, other = Device(client), Device(client)
    gone.enrol()
    other.enrol()
    assert gone.delete("/v1/me").status_code == 200
    assert [gone.get("/v1/me").status_code for _ in range(3)] == [410, 410, 429]
    assert other.get("/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("testclient", "unknown", False),
    ],
)
def test_a_network_that_one_household_has_counts_as_one_address(
    database_url: str, make_client: AppMaker, one: str, other: str, *, alike: bool
) -> None:
    client = make_client(database_url=database_url, rate_limit_public="1/hour")
    first = from_address(client, one).post("/v1/triage/evaluations", json={})
    second = from_address(client, other).post("/v1/triage/evaluations", json={})
    assert (first.status_code, second.status_code) == (200, 429 if alike else 200)


def test_an_enrolment_does_not_tell_how_many_others_enrolled(client: TestClient) -> None:
    answers = [client.post("/v1/participants", json=ENROLMENT) for _ in range(2)]
    headers = [
        {name: value for name, value in answer.headers.items() if "ratelimit" in name}
        for answer in answers
    ]
    assert headers == [{"ratelimit-policy": '"enrolment";q=1000;w=3600'}] * 2


def test_a_class_and_a_hospital_can_enrol_behind_one_address(client: TestClient) -> None:
    # A class of 25, each of them three times because the first answers were lost.
    answers = [client.post("/v1/participants", json=ENROLMENT) for _ in range(75)]
    assert {answer.status_code for answer in answers} == {201}


def test_a_rejected_request_stores_nothing_and_can_be_sent_again(
    database_url: str, make_client: AppMaker
) -> None:
    tight = Device(make_client(database_url=database_url, rate_limit_participant="1/hour"))
    tight.enrol()
    first, second = tight.session(), tight.session()
    assert tight.post_session(first).status_code == 201
    assert tight.post_session(second).status_code == 429
    # Another node, or the same one later.
    tight.client = make_client(database_url=database_url)
    assert [item["id"] for item in tight.get("/v1/sessions").json()["items"]] == [first["id"]]
    assert tight.post_session(second).status_code == 201


def test_content_and_health_are_never_limited(database_url: str, make_client: AppMaker) -> None:
    client: TestClient = make_client(
        database_url=database_url, rate_limit_public="1/hour", rate_limit_participant="1/hour"
    )
    for path in ("/v1/exercises", "/v1/warnings", "/v1/triage/rule-set", "/healthz", "/readyz"):
        assert [client.get(path).status_code for _ in range(3)] == [200, 200, 200]


def test_a_token_of_another_kind_counts_as_one_that_proves_wrong(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(
        database_url=database_url, rate_limit_participant="2/hour", rate_limit_clinician="2/hour"
    )
    device = Device(client)
    device.enrol()
    for path, token in (
        ("/v1/symptom-reports", "fc_whatever"),
        ("/v1/aggregates", device.token),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        answers = [client.get(path, headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [403, 403, 429]
        assert "RateLimit" not in answers[0].headers
    # Valid credentials are still accepted.
    assert device.get("/v1/symptom-reports").status_code == 200


# In Redis, for several workers.


@contextlib.contextmanager
def redis_on(port: int, folder: Path) -> Iterator[None]:
    """Run a Redis of the test's own, which keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server")
    options = ("--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder))
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until_it_listens(port)
        yield
    finally:
        process.kill()
        process.wait()


def asked(client: httpx.Client) -> int:
    """Ask for a decision on a red flag."""
    report = {"answers": {"saddle_numbness": "yes"}}
    response = client.post("/v1/triage/evaluations", json=report)
    if response.status_code == 200:
        assert response.json()["level"] == "emergency"
    return response.status_code


def test_several_servers_count_in_one_redis(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    limits = {
        "rate_limit_storage": f"redis://127.0.0.1:{port}/0",
        "rate_limit_public": "4/hour",
    }
    with (
        redis_on(port, tmp_path),
        running_server(database_url, tmp_path, **limits) as one,
        running_server(database_url, tmp_path, **limits) as other,
    ):
        clients = [httpx.Client(base_url=server.url) for server in (one, other)]
        answers = [asked(client) for _ in range(3) for client in clients]
        for client in clients:
            client.close()
    assert answers == [200, 200, 200, 200, 429, 429]


def test_an_outage_of_redis_rejects_no_request_and_resets_no_limit(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    limits = {
        "rate_limit_storage": f"redis://127.0.0.1:{port}/0",
        "rate_limit_public": "3/hour",
    }
    with running_server(database_url, tmp_path, **limits) as server:
        with httpx.Client(base_url=server.url) as client:
            with redis_on(port, tmp_path):
                assert [asked(client) for _ in range(4)] == [200, 200, 200, 429]
            # It is gone: this worker counts for itself, from the beginning.
            assert [asked(client) for _ in range(4)] == [200, 200, 200, 429]
            assert server.log.count("rate-limit storage unavailable; counting per worker") == 1
            with redis_on(port, tmp_path):
                time.sleep(AWAY_SECONDS)
                assert [asked(client) for _ in range(4)] == [200, 200, 200, 429]
        levels = {json.loads(line)["level"] for line in server.log.splitlines()}
        assert levels == {"info", "warning"}


def test_an_unresponsive_redis_delays_requests_only_briefly(
    database_url: str, make_client: AppMaker
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        client = make_client(database_url=database_url, rate_limit_storage=url)
        assert [asked(client) for _ in range(5)] == [200] * 5
        # The first has waited, and the others did not even try.
        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_without_redis_no_upload_is_rejected(database_url: str, make_client: AppMaker) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    device = Device(make_client(database_url=database_url, rate_limit_storage=url))
    device.enrol()
    response = device.post_report(device.report({"saddle_numbness": "yes"}))
    assert response.status_code == 201
    assert response.headers["RateLimit"].startswith('"participant";r=')
