"""Concurrent use of the recovery code: one code stays valid, and no request waits forever."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from tests.conftest import AppMaker
from tests.support.device import Device


def test_of_codes_renewed_at_the_same_moment_one_lives(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_enrolment="1000/minute")
    for _ in range(5):
        device = Device(client)
        device.enrol()
        with ThreadPoolExecutor(4) as pool:
            renewals = [pool.submit(device.post, "/v1/me/recovery-code") for _ in range(4)]
        codes = [renewal.result().json()["recovery_code"] for renewal in renewals]
        linked = [client.post("/v1/devices", json={"recovery_code": code}) for code in codes]
        assert sorted(response.status_code for response in linked) == [201, 401, 401, 401]


def test_linking_a_device_during_an_erasure_succeeds_or_is_rejected(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_enrolment="1000/minute")
    for _ in range(10):
        device = Device(client)
        code = device.enrol()["recovery_code"]
        with ThreadPoolExecutor(2) as pool:
            linked = pool.submit(client.post, "/v1/devices", json={"recovery_code": code})
            erased = pool.submit(client.delete, "/v1/me", headers=device.headers)
        assert linked.result().status_code in {201, 401}
        assert erased.result().status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_more_concurrent_exports_than_connections_all_succeed(
    database_url: str, make_client: AppMaker
) -> None:
    client: TestClient = make_client(database_url=database_url, database_pool_size=2, max_exports=8)
    devices = [Device(client) for _ in range(8)]
    for device in devices:
        device.enrol()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda device: device.get("/v1/me/export"), devices))
    assert {answer.status_code for answer in answers} == {200}
