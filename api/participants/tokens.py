"""Device tokens: made, written and read. Pure.

A device token names its participant and its device, so that looking it up goes to one shard; what
proves it is its secret.
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
    return DeviceToken(participant_id, device_id, make_secret())


def read_token(text: str) -> DeviceToken | None:
    """Read a token; None when it is not one."""
    match = TOKEN.match(text)
    if match is None:
        return None
    return DeviceToken(uuid.UUID(match[1]), uuid.UUID(match[2]), match[3])
