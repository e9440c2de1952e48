"""A rule set can be signed, so that a device can verify its origin."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.content.rule_set import reviewed_document
from api.content.signing import read_signer
from api.core.config import Settings
from api.main import create_app
from tests.support import databases
from tests.support.clock import FakeClock
from tests.support.server import footing

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BESIDE = {"hash", "review", "signature", "withdrawn"}


def pem(
    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.fixture(scope="module")
def signed(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An app after `footing seed` with a signing key, following a seed without one."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / "key.pem").write_bytes(pem(KEY))
    with databases.fresh_database("sqlite", templates, folder) as url:
        key = str(folder / "key.pem")
        done = footing("seed", database_url=url, folder=folder, signing_key=key)
        assert (done.returncode, done.stdout[:17]) == (0, "Activated release")
        app = create_app(Settings(database_url=url), FakeClock())
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def test_without_a_key_nothing_is_signed(content_client: TestClient) -> None:
    assert content_client.get("/v1/triage/rule-set").json()["signature"] is None


def test_a_seeded_rule_set_is_signed_over_the_bytes_that_its_hash_is_made_of(
    signed: TestClient,
) -> None:
    document = signed.get("/v1/triage/rule-set").json()
    hashed = rfc8785.dumps({key: document[key] for key in document.keys() - BESIDE})
    assert hashlib.sha256(hashed).hexdigest() == document["hash"]
    signature = document["signature"]
    assert signature["algorithm"] == "ed25519"
    public = KEY.public_key()
    assert signature["key_id"] == hashlib.sha256(public.public_bytes_raw()).hexdigest()
    value = base64.b64decode(signature["value"], validate=True)
    public.verify(value, hashed)
    with pytest.raises(InvalidSignature):
        public.verify(value, hashed + b" ")


def test_signing_changes_neither_the_hash_nor_the_permanent_document(
    content_client: TestClient, signed: TestClient
) -> None:
    before, after = (client.get("/v1/triage/rule-set") for client in (content_client, signed))
    assert after.json()["hash"] == before.json()["hash"]
    assert after.headers["ETag"] != before.headers["ETag"]
    path = f"/v1/triage/rule-sets/{before.json()['hash']}"
    assert signed.get(path).content == content_client.get(path).content


def test_the_same_key_makes_the_same_signature_so_that_seeding_again_changes_nothing(
    catalogue: Catalogue,
) -> None:
    first, second = (reviewed_document(catalogue, read_signer(pem(KEY))) for _ in range(2))
    assert first["signature"] is not None
    assert first == second


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an unencrypted private key in PEM form"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted"),
        (pem(KEY, BestAvailableEncryption(b"x")), "not an unencrypted private key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an Ed25519 key"),
    ],
    ids=["nothing", "damaged", "encrypted", "of another kind"],
)
def test_an_invalid_signing_key_is_rejected_and_never_shown(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_signer(content)
    assert "BEGIN" not in str(caught.value)


def test_a_missing_key_file_is_named_and_nothing_is_seeded(tmp_path: Path) -> None:
    path, url = tmp_path / "none.pem", f"sqlite:///{tmp_path}/never.db"
    done = footing("seed", "--signing-key", str(path), database_url=url, folder=tmp_path)
    assert done.returncode == 1
    assert f"Cannot sign with {path}" in done.stderr
    assert not (tmp_path / "never.db").exists()
