"""Signs rule sets, so that a device can verify their origin, however they were delivered."""

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from api.content.rule_set import Signer
from api.core.canonical import sha256


def read_signer(pem: bytes) -> Signer:
    """Parse a private key; raise ValueError with the reason if it is invalid."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        # The library's message is about its own parser.
        raise ValueError("it is not an unencrypted private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        message = "it is not an Ed25519 key; openssl genpkey -algorithm ed25519 makes one"
        raise ValueError(message)  # noqa: TRY004  # the file's content is wrong, not a type
    key_id = sha256(key.public_key().public_bytes_raw())

    def sign(data: bytes) -> dict[str, str]:
        value = base64.b64encode(key.sign(data)).decode()
        return {"algorithm": "ed25519", "key_id": key_id, "value": value}

    return sign
