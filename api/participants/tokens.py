"""Device tokens and recovery codes: made, written, read and hashed. Pure.

A device token names its participant and its device, so that looking it up goes to one shard; what
proves it is its secret. Secrets are random and long, so that a plain SHA-256 keeps them at rest.
"""

import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass

PARTICIPANT_PREFIX = "fp"
CLINICIAN_PREFIX = "fc"
SECRET_BYTES = 32
TOKEN = re.compile(
    rf"^{PARTICIPANT_PREFIX}_([0-9a-f]{{32}})_([0-9a-f]{{32}})_([0-9a-f]{{{2 * SECRET_BYTES}}})$"
)


@dataclass(frozen=True)
class DeviceToken:
    """What a token says."""

    participant_id: uuid.UUID
    device_id: uuid.UUID
    secret: str

    def __str__(self) -> str:
        names = f"{self.participant_id.hex}_{self.device_id.hex}"
        return f"{PARTICIPANT_PREFIX}_{names}_{self.secret}"

    def matches(self, stored_hash: str | None) -> bool:
        """Compare with the hash at rest."""
        return stored_hash is not None and same_secret(self.secret, stored_hash)


def make_token(participant_id: uuid.UUID, device_id: uuid.UUID) -> DeviceToken:
    """Make a new token for a device."""
    return DeviceToken(participant_id, device_id, secrets.token_hex(SECRET_BYTES))


def read_token(text: str) -> DeviceToken | None:
    """Read a token; None when it is not one."""
    match = TOKEN.match(text)
    if match is None:
        return None
    return DeviceToken(uuid.UUID(match[1]), uuid.UUID(match[2]), match[3])


def same_secret(secret: str, stored_hash: str) -> bool:
    """Compare a secret with a hash at rest, in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored_hash)


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
