"""Clinicians' keys: shown once, stored as hashes, revoked immediately, limited to their scope."""

import re
import uuid

import pytest
from starlette.testclient import TestClient

from api.clinicians.keys import PlaintextKey, make_key, read_key
from api.clinicians.models import ClinicianKey
from api.core.clock import SystemClock
from api.core.tokens import token_kind
from tests.clinicians.conftest import Footing
from tests.conftest import AppMaker
from tests.core.stored import everything, execute, rows
from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock
from tests.support.device import Device


def test_the_command_prints_only_the_key_and_the_key_is_accepted(
    footing: Footing, client: TestClient
) -> None:
    added = footing("clinician", "add", "Ward 3", "--days", "90")
    assert added.returncode == 0
    key = added.stdout.removesuffix("\n")
    assert re.fullmatch("fc_[0-9a-f]{32}_[0-9a-f]{64}", key)
    assert "Ward 3" in added.stderr
    assert "shown once" in added.stderr
    assert key not in added.stderr
    answer = Clinician(client, key).get()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    profile = answer.json()
    assert profile.pop("expires_at").endswith("Z")
    assert profile == {
        "kind": "key",
        "name": "Ward 3",
        "scopes": ["aggregates:read"],
        "issuer": None,
    }


def test_nothing_of_the_secret_is_stored(clinician: Clinician, database_url: str) -> None:
    assert clinician.get().status_code == 200
    stored = everything(database_url)
    assert clinician.token not in stored
    assert clinician.token.rpartition("_")[2] not in stored


def test_no_two_keys_are_alike_and_each_is_read_back_as_it_was_written() -> None:
    keys = [make_key() for _ in range(100)]
    assert len({key.secret for key in keys}) == 100
    assert len(keys[0].secret) * 4 >= 128
    for key in keys:
        assert read_key(str(key)) == key
        assert token_kind(str(key)) == "clinician_key"
    text = str(keys[0])
    for other in (f" {text}", f"{text}\n", text.upper(), text[:-1], f"{text}0"):
        assert read_key(other) is None, repr(other)


def test_a_key_opens_until_the_moment_it_expires(clinician: Clinician, clock: FakeClock) -> None:
    clock.advance(days=90, seconds=-1)
    answer = clinician.get()
    assert answer.status_code == 200
    assert answer.json()["expires_at"] == "2027-02-20T12:00:00Z"
    clock.advance(seconds=1)
    refused = clinician.get()
    assert refused.status_code == 401
    assert refused.json()["detail"] == "The key has expired."
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("by", ["name", "id", "id with hyphens"])
def test_a_revoked_key_is_rejected_immediately(
    clinician: Clinician, footing: Footing, database_url: str, clock: FakeClock, by: str
) -> None:
    other = Clinician(clinician.client, give_key(database_url, clock, "Ward 4"))
    assert clinician.get().status_code == 200
    key = read_key(clinician.token)
    assert key is not None
    names = {"name": "Ward 3", "id": key.key_id.hex, "id with hyphens": str(key.key_id)}
    revoked = footing("clinician", "revoke", names[by])
    assert (revoked.returncode, revoked.stdout) == (0, "Revoked 1.\n")
    refused = clinician.get()
    assert refused.status_code == 401
    assert refused.json()["detail"] == "The key was revoked."
    assert other.get().status_code == 200


def test_revoking_by_name_ends_every_key_of_that_name_and_keeps_when_the_first_ended(
    footing: Footing, database_url: str, clock: FakeClock
) -> None:
    give_key(database_url, clock)
    footing("clinician", "revoke", "Ward 3")
    (first,) = rows(database_url, ClinicianKey)
    give_key(database_url, clock)
    again = footing("clinician", "revoke", "Ward 3")
    assert again.stdout == "Revoked 1; 1 had been revoked before.\n"
    stored = rows(database_url, ClinicianKey)
    assert all(row["revoked_at"] for row in stored)
    assert first in stored


def test_revoking_an_unknown_key_is_reported(footing: Footing) -> None:
    for name in ("Ward 9", str(uuid.uuid4())):
        failed = footing("clinician", "revoke", name)
        assert failed.returncode == 1
        assert name in failed.stderr


@pytest.mark.parametrize(
    ("name", "days"),
    [("Ward 3", "0"), ("Ward 3", "367"), ("", "9"), ("=1+1", "9"), ("a\nb", "9"), ("x" * 101, "9")],
)
def test_a_key_without_an_end_or_a_proper_name_is_not_given_out(
    footing: Footing, database_url: str, name: str, days: str
) -> None:
    refused = footing("clinician", "add", name, "--days", days)
    assert refused.returncode != 0
    assert "fc_" not in refused.stdout
    assert rows(database_url, ClinicianKey) == []


def test_the_list_shows_every_key_and_whether_it_opens_anything(
    clinician: Clinician, footing: Footing, database_url: str, clock: FakeClock
) -> None:
    clinician.get()
    # The command goes by the clock of the machine.
    give_key(database_url, SystemClock(), "New", days=9)
    clock.advance(days=-400)
    give_key(database_url, clock, "Long ago", days=1)
    give_key(database_url, clock, "Left", days=366)
    footing("clinician", "revoke", "Left")
    listed = footing("clinician", "list").stdout
    lines = {line[34:42].strip(): line for line in listed.splitlines()}
    assert set(lines) == {"NAME", "Ward 3", "New", "Long ago", "Left"}
    assert " valid " in lines["New"]
    assert lines["Ward 3"].count("2026-11-22T12:00:00Z") == 2, "created and last used"
    assert " expired " in lines["Long ago"]
    assert " revoked " in lines["Left"]
    assert clinician.token.rpartition("_")[2] not in listed


def test_without_the_secret_nothing_is_revealed_about_a_key(
    clinician: Clinician, footing: Footing
) -> None:
    key = read_key(clinician.token)
    assert key is not None

    def answer(text: str) -> tuple[int, str, str]:
        response = Clinician(clinician.client, text).get()
        problem = response.json()
        return response.status_code, problem["detail"], response.headers["WWW-Authenticate"]

    guesses = [str(PlaintextKey(key.key_id, make_key().secret)), str(make_key()), "fc_", "fc_1_2"]
    before = [answer(guess) for guess in guesses]
    footing("clinician", "revoke", "Ward 3")
    assert {*before, *map(answer, guesses)} == {
        (
            401,
            "The key is not valid.",
            (
                'Bearer realm="footing", error="invalid_token",'
                ' error_description="The key is not valid."'
            ),
        )
    }


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer " + "x" * 30_000],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_malformed_key_is_rejected_with_how_to_send_one(
    client: TestClient, authorization: str
) -> None:
    response = client.get("/v1/clinician", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="footing"')


def test_without_any_credentials_the_challenge_names_no_error(client: TestClient) -> None:
    response = client.get("/v1/clinician")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="footing"'


def test_a_participants_token_is_rejected_without_a_look_up(
    device: Device, clinician: Clinician, database_url: str
) -> None:
    execute(database_url, "DROP TABLE clinician_key")
    assert clinician.get().status_code == 500, "a key is looked up"
    for token in (device.token, "fp_", "fp_nonsense"):
        response = Clinician(device.client, token).get()
        assert response.status_code == 403
        assert response.json()["code"] == "wrong_token_kind"


def test_a_key_cannot_be_used_for_participant_endpoints(clinician: Clinician) -> None:
    for path in ("/v1/me", "/v1/sessions", "/v1/me/export", "/v1/devices"):
        response = clinician.get(path)
        assert response.status_code == 403, path
        assert response.json()["code"] == "wrong_token_kind"


def test_a_key_without_the_scope_is_rejected_with_the_scope_named(
    clinician: Clinician, database_url: str
) -> None:
    execute(database_url, "UPDATE clinician_key SET scopes = '[]'")
    refused = clinician.get()
    assert refused.status_code == 403
    assert refused.json()["code"] == "insufficient_scope"
    assert refused.headers["WWW-Authenticate"] == (
        'Bearer realm="footing", error="insufficient_scope", scope="aggregates:read"'
    )


def test_guesses_are_limited_by_address_and_requests_by_key(
    database_url: str, make_client: AppMaker, clock: FakeClock
) -> None:
    client = make_client(database_url=database_url, rate_limit_clinician="3/hour")
    one, other = (Clinician(client, give_key(database_url, clock)) for _ in range(2))
    assert [one.get().status_code for _ in range(4)] == [200, 200, 200, 429]
    guesses = [Clinician(client, str(make_key())).get() for _ in range(4)]
    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429]
    assert guesses[3].headers["RateLimit-Policy"] == '"clinician";q=3;w=3600'
    assert int(guesses[3].headers["Retry-After"]) >= 1
    assert "RateLimit" not in guesses[0].headers
    # A colleague behind the same address is neither slowed down nor affected.
    found = other.get()
    assert found.status_code == 200
    assert found.headers["RateLimit"].startswith('"clinician";r=2;')
    assert client.post("/v1/triage/evaluations", json={}).status_code == 200
