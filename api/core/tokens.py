"""Tokens and secrets: which kind a token is of, and what is kept of a secret. Pure.

Secrets are random and long, so that a plain SHA-256 keeps them at rest.
"""

import hashlib
import hmac
import re
import secrets
from typing import Literal

PARTICIPANT_PREFIX = "fp"
CLINICIAN_PREFIX = "fc"
SECRET_BYTES = 32
# What an OpenID Connect issuer signs: three parts, of which the first is a JSON object.
ACCESS_TOKEN = re.compile(r"^eyJ[\w-]+\.[\w-]+\.[\w-]*$", re.ASCII)
TokenKind = Literal["participant", "clinician_key", "access_token"]


def token_kind(text: str) -> TokenKind | None:
    """Tell by its looks alone for whose calls a token is."""
    if text.startswith(f"{PARTICIPANT_PREFIX}_"):
        return "participant"
    if text.startswith(f"{CLINICIAN_PREFIX}_"):
        return "clinician_key"
    return "access_token" if ACCESS_TOKEN.match(text) else None


def make_secret() -> str:
    """Make a new secret of 256 bits."""
    return secrets.token_hex(SECRET_BYTES)


def same_secret(secret: str, stored_hash: str) -> bool:
    """Compare a secret with a hash at rest, in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored_hash)


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
