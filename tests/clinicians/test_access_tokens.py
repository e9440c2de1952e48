"""Access tokens: verified with the issuer's own keys, and with nothing else."""

import base64
import hashlib
import hmac
import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from api.clinicians.audit import subject_hash
from api.clinicians.models import AuditEntry
from api.clinicians.oidc import is_downgrade
from tests.clinicians.conftest import Footing
from tests.conftest import AppMaker
from tests.core.stored import everything, rows
from tests.support.clinician import Clinician
from tests.support.clock import FakeClock
from tests.support.issuer import AUDIENCE, DISCOVERY, SUBJECT, Issuer

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(database_url: str, make_client: AppMaker, issuer: Issuer) -> TestClient:
    """The app with the issuer configured."""
    return make_client(database_url=database_url, **issuer.settings())


def ask(client: TestClient, token: str) -> httpx.Response:
    return Clinician(client, token).get()


def assert_refused(response: httpx.Response, says: str = "") -> None:
    assert response.status_code == 401, response.text
    assert response.json()["code"] == "not_authenticated"
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert says in response.json()["detail"]


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_an_access_token_is_accepted_and_logged_as_a_hash(
    client: TestClient, issuer: Issuer, database_url: str, footing: Footing
) -> None:
    answer = ask(client, issuer.token(name="Dr. Quokka"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "kind": "access_token",
        "name": "Dr. Quokka",
        "scopes": ["aggregates:read"],
        "expires_at": "2026-11-22T12:05:00Z",
        "issuer": issuer.url,
    }
    (entry,) = rows(database_url, AuditEntry)
    assert entry["kind"] == "access_token"
    assert entry["who"] == subject_hash(issuer.url, SUBJECT)
    assert entry["name"] is None
    assert "quokka" not in everything(database_url).lower()
    # The operator who knows the subject finds what it asked.
    found = footing(
        *("audit", "--format", "jsonl", "--who", SUBJECT),
        oidc_issuer=issuer.url,
        oidc_audience=AUDIENCE,
    )
    assert json.loads(found.stdout)["who"] == entry["who"]


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "aggregates:read"},
        {"scope": None, "scp": ["openid", "aggregates:read"]},
        {"scope": None, "scp": "aggregates:read openid"},
        {"aud": ["https://other.example.org", AUDIENCE]},
        {"nbf": 1},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": None}},
        {"header": {"typ": "application/at+JWT"}},
        {"header": {"nonce": "an issuer's own header"}},
        {"header": {"kid": None}},
        {"exp": 10**30},
    ],
)
@ON_SQLITE
def test_variants_of_issuers_are_accepted(
    client: TestClient, issuer: Issuer, changes: dict[str, Any]
) -> None:
    answer = ask(client, issuer.token(**changes))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"iss": "https://evil.example.org"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "https://other.example.org"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": AUDIENCE[:-1]}, "aud"),
        ({"aud": {AUDIENCE: 1}}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": math.nan}, "exp"),
        ({"exp": True}, "exp"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": ["a"]}, "sub"),
        ({"nbf": 4102444800}, "nbf"),
        ({"iat": 4102444800}, "iat"),
        ({"header": {"typ": "logout+jwt"}}, "not an access token"),
        ({"header": {"typ": "dpop+jwt"}}, "not an access token"),
    ],
)
@ON_SQLITE
def test_an_invalid_claim_is_rejected_and_named(
    client: TestClient, issuer: Issuer, changes: dict[str, Any], says: str
) -> None:
    assert_refused(ask(client, issuer.token(**changes)), says)


@ON_SQLITE
def test_a_token_lives_until_it_expires_and_a_minute_for_clocks_that_differ(
    client: TestClient, issuer: Issuer, clock: FakeClock
) -> None:
    token = issuer.token()
    clock.advance(seconds=300 + 59)
    assert ask(client, token).status_code == 200
    clock.advance(seconds=1)
    assert_refused(ask(client, token), "has expired")


@pytest.mark.parametrize("scope", [None, "openid", "aggregates:read:all", "AGGREGATES:READ", 7])
@ON_SQLITE
def test_a_token_without_the_scope_is_rejected_with_the_scope_named(
    client: TestClient, issuer: Issuer, scope: Any
) -> None:
    refused = ask(client, issuer.token(scope=scope))
    assert refused.status_code == 403
    assert refused.json()["code"] == "insufficient_scope"
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge.endswith('error="insufficient_scope", scope="aggregates:read"')


@ON_SQLITE
def test_the_required_scope_can_be_configured(
    database_url: str, make_client: AppMaker, issuer: Issuer
) -> None:
    settings = issuer.settings(oidc_required_scope="api://footing/read")
    client = make_client(database_url=database_url, **settings)
    assert ask(client, issuer.token(scope="api://footing/read")).status_code == 200
    refused = ask(client, issuer.token())
    assert refused.status_code == 403
    assert 'scope="api://footing/read"' in refused.headers["WWW-Authenticate"]


# Forgeries.


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
@ON_SQLITE
def test_an_unsigned_token_is_refused(client: TestClient, issuer: Issuer, name: str) -> None:
    body = part(issuer.claims())
    for signature in ("", part(b"x")):
        header = part({"alg": name, "kid": "first", "typ": "at+jwt"})
        assert_refused(ask(client, f"{header}.{body}.{signature}"))


@ON_SQLITE
def test_the_public_key_is_no_secret_to_sign_with(client: TestClient, issuer: Issuer) -> None:
    key = issuer.keys["first"]
    assert isinstance(key, RSAKey)
    public = key.public_key
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key.as_dict(private=False)).encode(),
    ]
    assert ask(client, issuer.token()).status_code == 200
    signed = f"{part({'alg': 'HS256', 'kid': 'first', 'typ': 'at+jwt'})}.{part(issuer.claims())}"
    for secret in secrets:
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        assert_refused(ask(client, f"{signed}.{part(signature)}"))


@ON_SQLITE
def test_an_unknown_critical_extension_is_rejected(client: TestClient, issuer: Issuer) -> None:
    key = issuer.keys["first"]
    assert isinstance(key, RSAKey)

    def sign(**more: Any) -> str:
        # By hand: a library would not make what it can't read.
        header = {"alg": "RS256", "kid": "first", **more}
        signed = f"{part(header)}.{part(issuer.claims())}"
        signature = key.get_op_key("sign").sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{part(signature)}"

    assert ask(client, sign()).status_code == 200
    assert ask(client, sign(may="be ignored")).status_code == 200
    assert_refused(ask(client, sign(must="heed", crit=["must"])))


@ON_SQLITE
def test_a_modified_token_is_rejected(client: TestClient, issuer: Issuer) -> None:
    header, body, signature = issuer.token(scope="openid").split(".")
    more = part(issuer.claims())
    other = issuer.token().split(".")[2]
    broken = base64.urlsafe_b64decode(signature + "==")
    flipped = part(bytes([broken[0] ^ 1]) + broken[1:])
    renamed = part({"alg": "RS256", "kid": "first", "typ": "JWT"})
    for token in (
        f"{header}.{more}.{signature}",
        f"{header}.{body}.{other}",
        f"{header}.{body}.{flipped}",
        f"{header}.{body}.",
        f"{renamed}.{body}.{signature}",
    ):
        assert_refused(ask(client, token))


@ON_SQLITE
def test_keys_that_a_token_brings_along_are_not_used(client: TestClient, issuer: Issuer) -> None:
    issuer.add_key("mine")
    mine = issuer.keys.pop("mine")
    public = mine.as_dict(private=False)
    ask(client, issuer.token())
    issuer.documents["/mine"] = {"keys": [public]}
    for header in ({"jwk": public}, {"jku": f"{issuer.url}/mine"}, {"x5u": f"{issuer.url}/mine"}):
        issuer.keys["mine"] = mine
        token = issuer.token(header={"kid": "first", **header}, kid="mine")
        del issuer.keys["mine"]
        assert_refused(ask(client, token))
    assert "/mine" not in issuer.calls


@pytest.mark.parametrize("algorithms", [("RS256",), ("ES256",)])
@ON_SQLITE
def test_only_algorithms_on_the_list_are_taken(
    database_url: str, make_client: AppMaker, issuer: Issuer, algorithms: tuple[str, ...]
) -> None:
    settings = issuer.settings(oidc_algorithms=algorithms)
    client = make_client(database_url=database_url, **settings)
    issuer.add_key("curve", curve=True)
    answers = {
        name: ask(client, issuer.token(kid=kid)).status_code
        for name, kid in (("RS256", "first"), ("ES256", "curve"))
    }
    assert answers == {name: 200 if name in algorithms else 401 for name in ("RS256", "ES256")}


@ON_SQLITE
def test_a_key_is_used_only_for_its_own_algorithm(client: TestClient, issuer: Issuer) -> None:
    issuer.add_key("curve", curve=True)
    signed = issuer.token(kid="curve")
    _, body, signature = signed.split(".")
    assert ask(client, signed).status_code == 200
    for header in ({"alg": "RS256", "kid": "curve"}, {"alg": "ES256", "kid": "first"}):
        assert_refused(ask(client, f"{part(header)}.{body}.{signature}"))


@pytest.mark.parametrize(
    "token",
    [
        "eyJ.eyJ.x",
        "eyJhbGciOiJSUzI1NiJ9.e30.",
        f"{part({'alg': ['RS256'], 'kid': 'first'})}.{part({})}.{part(b'x')}",
        f"{part({'alg': 'RS256', 'kid': {'a': 1}})}.{part({})}.{part(b'x')}",
        f"{part({'alg': 'RS256', 'kid': 'first', 'typ': 7})}.{part({})}.{part(b'x')}",
        f"{part({'kid': 'first'})}.{part({})}.{part(b'x')}",
        "eyJ" + part(b'"a": ' + b"[" * 4000) + ".e30.x",
        part(b'{"alg": "RS256", "kid": "first", "a": ' + b"[" * 1500) + ".e30.x",
        f"{part({'alg': 'RS256', 'kid': 'first'})}.{'A' * 20_000}.{part(b'x')}",
        f"{part({'alg': 'RS256', 'kid': 'x' * 5000})}.{part({})}.{part(b'x')}",
        f"{part({'alg': 'RS256', 'kid': 'first'})}.{part({})}.{part(b'x' * 5000)}",
    ],
)
@ON_SQLITE
def test_malformed_and_overlong_tokens_are_rejected(
    client: TestClient, issuer: Issuer, token: str
) -> None:
    assert_refused(ask(client, token))
    assert ask(client, issuer.token()).status_code == 200


@ON_SQLITE
def test_a_deeply_nested_token_of_the_issuer_itself_is_no_fault_of_ours(
    client: TestClient, issuer: Issuer
) -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    assert ask(client, issuer.token(deep=deep)).status_code in {200, 401}


# Keys: kept, rotated, and read no more often than needed.


@ON_SQLITE
def test_keys_are_read_once_and_kept(client: TestClient, issuer: Issuer) -> None:
    for _ in range(5):
        assert ask(client, issuer.token()).status_code == 200
    assert issuer.calls == [DISCOVERY, "/keys"]


@ON_SQLITE
def test_a_new_key_is_found_and_an_old_one_is_dropped(
    client: TestClient, issuer: Issuer, clock: FakeClock
) -> None:
    old = issuer.token(exp=int(clock.now().timestamp()) + 3600)
    assert ask(client, old).status_code == 200
    del issuer.keys["first"]
    issuer.add_key("second")
    clock.advance(seconds=31)
    assert ask(client, issuer.token(kid="second")).status_code == 200
    assert_refused(ask(client, old), "does not publish")


@ON_SQLITE
def test_a_key_that_the_issuer_took_back_ends_within_five_minutes_by_itself(
    client: TestClient, issuer: Issuer, clock: FakeClock
) -> None:
    old = issuer.token(exp=int(clock.now().timestamp()) + 3600)
    assert ask(client, old).status_code == 200
    issuer.keys["first"] = RSAKey.generate_key(2048)
    clock.advance(minutes=5, seconds=1)
    assert_refused(ask(client, old))


@ON_SQLITE
def test_invented_key_ids_can_not_be_used_to_hammer_the_issuer(
    client: TestClient, issuer: Issuer, clock: FakeClock
) -> None:
    ask(client, issuer.token())
    issuer.calls.clear()
    _, body, signature = issuer.token().split(".")

    def guess(number: int) -> int:
        header = part({"alg": "RS256", "kid": f"invented-{number}"})
        return ask(client, f"{header}.{body}.{signature}").status_code

    for _ in range(3):
        clock.advance(seconds=31)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(guess, range(40))) == {401}
        assert ask(client, issuer.token()).status_code == 200
    assert issuer.calls == [DISCOVERY, "/keys"] * 3


@ON_SQLITE
def test_callers_who_arrive_together_read_the_keys_once(client: TestClient, issuer: Issuer) -> None:
    issuer.delay = 0.1
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: ask(client, issuer.token()).status_code, range(8))
        assert set(answers) == {200}
    assert issuer.calls == [DISCOVERY, "/keys"]


@ON_SQLITE
def test_a_jwks_address_that_is_set_needs_no_discovery(
    database_url: str, make_client: AppMaker, issuer: Issuer
) -> None:
    settings = issuer.settings(oidc_jwks_url=f"{issuer.url}/keys")
    client = make_client(database_url=database_url, **settings)
    assert ask(client, issuer.token()).status_code == 200
    assert issuer.calls == ["/keys"]


@ON_SQLITE
def test_a_key_of_an_unknown_kind_does_not_invalidate_the_others(
    client: TestClient, issuer: Issuer
) -> None:
    document = json.loads(issuer.body("/keys"))
    strange = [{"kty": "AKP", "kid": "pq"}, {"kty": "RSA", "kid": "half"}, {}, "no key", None]
    secret = {"kty": "oct", "kid": "oct", "k": part(b"s" * 32)}
    issuer.documents["/keys"] = {"keys": [*strange, secret, *document["keys"]]}
    assert ask(client, issuer.token()).status_code == 200


# The issuer is away.


def assert_away(response: httpx.Response) -> None:
    assert response.status_code == 503, response.text
    assert response.json()["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) >= 1


def test_no_token_is_accepted_while_the_issuer_is_unavailable_and_it_recovers(
    client: TestClient, issuer: Issuer, clock: FakeClock
) -> None:
    issuer.stop()
    token = issuer.token(exp=int(clock.now().timestamp()) + 3600)
    assert_away(ask(client, token))
    issuer.start()
    assert_away(ask(client, token))
    clock.advance(seconds=31)
    assert ask(client, token).status_code == 200


@ON_SQLITE
def test_known_keys_go_on_for_an_hour_and_no_longer(
    client: TestClient, issuer: Issuer, clock: FakeClock
) -> None:
    token = issuer.token(exp=int(clock.now().timestamp()) + 86400)
    assert ask(client, token).status_code == 200
    issuer.stop()
    for _ in range(6):
        clock.advance(minutes=10)
        assert ask(client, token).status_code == 200
    clock.advance(seconds=1)
    assert_away(ask(client, token))
    issuer.start()
    clock.advance(seconds=31)
    assert ask(client, token).status_code == 200


@ON_SQLITE
def test_an_issuer_that_does_not_answer_is_given_up_in_time(
    client: TestClient, issuer: Issuer
) -> None:
    issuer.delay = 6
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(ask, client, issuer.token())
        # Meanwhile all other requests are served.
        health = pool.submit(client.get, "/healthz").result(timeout=3)
        assert health.status_code == 200
        assert not slow.done()
        assert_away(slow.result(timeout=8))


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (DISCOVERY, b""),
        (DISCOVERY, b"<html>"),
        (DISCOVERY, []),
        (DISCOVERY, {"issuer": "https://evil.example.org", "jwks_uri": "{url}/keys"}),
        (DISCOVERY, {"issuer": "{url}"}),
        (DISCOVERY, {"issuer": "{url}", "jwks_uri": "http://evil.example.org/keys"}),
        (DISCOVERY, {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"}),
        (DISCOVERY, {"issuer": "{url}", "jwks_uri": 7}),
        (DISCOVERY, {"issuer": "{url}", "jwks_uri": "https://[::1/keys"}),
        ("/keys", {}),
        ("/keys", {"keys": {}}),
        ("/keys", {"keys": []}),
        ("/keys", {"keys": None}),
        ("/keys", b"[" * 100_000),
        ("/keys", b" " * 600_000),
    ],
)
@ON_SQLITE
def test_no_token_is_accepted_after_an_unexpected_response_of_the_issuer(
    client: TestClient, issuer: Issuer, path: str, document: Any
) -> None:
    if isinstance(document, dict):
        text = json.dumps(document).replace("{url}", issuer.url)
        document = json.loads(text)
    issuer.documents[path] = document
    assert_away(ask(client, issuer.token()))


def test_an_issuer_on_https_does_not_send_us_to_an_address_without_it() -> None:
    assert is_downgrade("https://login.example.org", "http://127.0.0.1/keys")
    assert not is_downgrade("https://login.example.org", "https://keys.example.org")
    assert not is_downgrade("http://127.0.0.1", "http://127.0.0.1/keys")


@pytest.mark.parametrize("status", [302, 404, 500])
@ON_SQLITE
def test_no_token_is_accepted_after_an_error_or_a_redirect_of_the_issuer(
    client: TestClient, issuer: Issuer, status: int
) -> None:
    issuer.status = status
    assert_away(ask(client, issuer.token()))
    assert issuer.calls == [DISCOVERY]


# Where there is no issuer, or where it isn't for.


@ON_SQLITE
def test_a_server_without_an_issuer_accepts_no_access_tokens(
    database_url: str, make_client: AppMaker, issuer: Issuer
) -> None:
    client = make_client(database_url=database_url)
    assert_refused(ask(client, issuer.token()), "does not accept access tokens")
    assert issuer.calls == []


@ON_SQLITE
def test_an_access_token_cannot_be_used_for_participant_endpoints(
    client: TestClient, issuer: Issuer
) -> None:
    refused = Clinician(client, issuer.token()).get("/v1/me")
    assert refused.status_code == 403
    assert refused.json()["code"] == "wrong_token_kind"
    assert issuer.calls == []
