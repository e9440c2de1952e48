"""Keys and access tokens are in no log, no audit entry and no error of a real server."""

import json
from pathlib import Path

import httpx

from api.core.clock import SystemClock
from tests.core.stored import everything, execute
from tests.support.clinician import Clinician
from tests.support.issuer import AUDIENCE, SUBJECT, running_issuer
from tests.support.server import footing, running_server

FAIL = {
    "sqlite": """
        CREATE TRIGGER fail BEFORE INSERT ON audit_entry
        BEGIN SELECT RAISE(ABORT, 'no such entry'); END
    """,
    "postgresql": """
        ALTER TABLE audit_entry ADD CONSTRAINT no_such_entry CHECK (status = 0) NOT VALID
    """,
}


def test_a_secret_is_stored_nowhere(database_url: str, tmp_path: Path) -> None:
    added = footing(
        "clinician", "add", "Ward 3", "--days", "1", database_url=database_url, folder=tmp_path
    )
    key = added.stdout.strip()
    answers: list[httpx.Response] = []
    with (
        running_issuer(SystemClock()) as issuer,
        running_server(
            database_url,
            tmp_path,
            log_level="debug",
            oidc_issuer=issuer.url,
            oidc_audience=AUDIENCE,
        ) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        token = issuer.token()
        unknown = issuer.token(header={"kid": "unknown"})
        for secret in (key, token):
            answers += [
                Clinician(client, secret).get(),
                Clinician(client, secret).get(access_token=secret),
                Clinician(client, f"{secret}0").get(),
                Clinician(client, secret).get("/v1/me"),
                client.get("/v1/clinician", headers={"Authorization": f"Basic {secret}"}),
            ]
        answers.append(Clinician(client, unknown).get())
        # An unexpected error is the most likely place for a secret to leak.
        execute(database_url, FAIL[database_url.partition(":")[0]])
        answers += [Clinician(client, secret).get() for secret in (key, token)]
    expected = [200, 422, 401, 403, 401]
    assert [answer.status_code for answer in answers] == [*expected, *expected, 401, 503, 503]
    texts = [server.log, everything(database_url), added.stderr]
    texts += [f"{answer.headers} {answer.text}" for answer in answers]
    secrets = [key, key.rpartition("_")[2], SUBJECT]
    secrets += [part for secret in (token, unknown) for part in secret.split(".")]
    for text in texts:
        for secret in secrets:
            assert secret not in text
    events = [json.loads(line) for line in server.log.splitlines()]
    errors = [event["event"] for event in events if event["level"] == "error"]
    assert errors == ["a query could not be written to the audit log"] * 2
    assert "fc_" not in server.log
    assert issuer.url not in server.log
