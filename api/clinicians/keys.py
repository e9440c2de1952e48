"""Clinicians' keys: generating, formatting and parsing. Pure."""

import re
import uuid
from dataclasses import dataclass

from api.core.tokens import CLINICIAN_PREFIX, SECRET_BYTES, make_secret, same_secret

KEY = re.compile(rf"^{CLINICIAN_PREFIX}_([0-9a-f]{{32}})_([0-9a-f]{{{2 * SECRET_BYTES}}})\Z")


@dataclass(frozen=True)
class PlaintextKey:
    """A key as the clinician has it: its id, for the look-up, and its secret."""

    key_id: uuid.UUID
    secret: str

    def __str__(self) -> str:
        return f"{CLINICIAN_PREFIX}_{self.key_id.hex}_{self.secret}"

    def matches(self, stored_hash: str) -> bool:
        """Compare the secret with the stored hash."""
        return same_secret(self.secret, stored_hash)


def make_key() -> PlaintextKey:
    """Make a new key."""
    return PlaintextKey(uuid.uuid4(), make_secret())


def read_key(text: str) -> PlaintextKey | None:
    """Parse a key; None if it is malformed."""
    match = KEY.match(text)
    return None if match is None else PlaintextKey(uuid.UUID(match[1]), match[2])
