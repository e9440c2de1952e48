"""Tokens and secrets: the kind of a token, and the stored hash of a secret. Pure.

Secrets are random and long, so that a plain SHA-256 protects them at rest.
"""

import hashlib
import hmac
import re
import secrets
from typing import Literal

PARTICIPANT_PREFIX = "fp"
CLINICIAN_PREFIX = "fc"
SECRET_BYTES = 32
# A token signed by an OpenID Connect issuer: three parts; the first one is a JSON object.
ACCESS_TOKEN = re.compile(r"^eyJ[\w-]+\.[\w-]+\.[\w-]*$", re.ASCII)
TokenKind = Literal["participant", "clinician_key", "access_token"]


def token_kind(text: str) -> TokenKind | None:
    """Return the kind of a token by its format: a participant's or a clinician's."""
    if text.startswith(f"{PARTICIPANT_PREFIX}_"):
        return "participant"
    if text.startswith(f"{CLINICIAN_PREFIX}_"):
        return "clinician_key"
    return "access_token" if ACCESS_TOKEN.match(text) else None


def make_secret() -> str:
    """Generate a secret of 256 bits."""
    return secrets.token_hex(SECRET_BYTES)


def same_secret(secret: str, stored_hash: str) -> bool:
    """Compare a secret with its stored hash, in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored_hash)


def hash_secret(secret: str) -> str:
    """Return the hash that is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
