"""Device tokens: generating, formatting and parsing. Pure.

A device token contains the ids of its participant and device, so that its look-up needs one shard,
and a secret.
"""

import re
import uuid
from dataclasses import dataclass

from api.core.tokens import PARTICIPANT_PREFIX, SECRET_BYTES, make_secret, same_secret

TOKEN = re.compile(
    rf"^{PARTICIPANT_PREFIX}_([0-9a-f]{{32}})_([0-9a-f]{{32}})_([0-9a-f]{{{2 * SECRET_BYTES}}})$"
)


@dataclass(frozen=True)
class DeviceToken:
    """The parts of a token."""

    participant_id: uuid.UUID
    device_id: uuid.UUID
    secret: str

    def __str__(self) -> str:
        names = f"{self.participant_id.hex}_{self.device_id.hex}"
        return f"{PARTICIPANT_PREFIX}_{names}_{self.secret}"

    def matches(self, stored_hash: str | None) -> bool:
        """Compare the secret with the stored hash."""
        return stored_hash is not None and same_secret(self.secret, stored_hash)


def make_token(participant_id: uuid.UUID, device_id: uuid.UUID) -> DeviceToken:
    """Generate a token for a device."""
    return DeviceToken(participant_id, device_id, make_secret())


def read_token(text: str) -> DeviceToken | None:
    """Parse a token; None if it is malformed."""
    match = TOKEN.match(text)
    if match is None:
        return None
    return DeviceToken(uuid.UUID(match[1]), uuid.UUID(match[2]), match[3])
