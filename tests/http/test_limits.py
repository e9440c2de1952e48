"""Rate limits: told in headers before they hurt, and one caller's never another's."""

from starlette.testclient import TestClient

from tests.conftest import AppMaker
from tests.support.phone import CONSENT_VERSION, Phone

ENROLMENT = {
    "time_zone": "Europe/Madrid",
    "language": "en",
    "consent": {"version": CONSENT_VERSION, "storage": True, "research": False},
}


def test_calls_beyond_the_limit_are_refused_and_told_when_to_come_back(
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
    assert answers[1].headers["RateLimit"].startswith('"enrolment";r=0;t=')
    assert client.post("/v1/triage/evaluations", json={}).status_code == 200


def test_one_phone_in_a_loop_does_not_slow_down_another(
    database_url: str, make_client: AppMaker
) -> None:
    client = make_client(database_url=database_url, rate_limit_participant="3/hour")
    one, other = Phone(client), Phone(client)
    one.enrol()
    other.enrol()
    assert [one.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = one.post_session(one.session())
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Policy"] == '"participant";q=3;w=3600'
    assert other.post_session(other.session()).status_code == 201


def test_a_refused_call_stores_nothing_and_can_be_sent_again(
    database_url: str, make_client: AppMaker
) -> None:
    tight = Phone(make_client(database_url=database_url, rate_limit_participant="1/hour"))
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
