"""Canonical JSON (RFC 8785) and the hashes made of it."""

import hashlib
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value."""
    return rfc8785.dumps(value)


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def content_hash(value: Any) -> str:
    """Return the hash of a JSON value: the SHA-256 of its canonical bytes, in hexadecimal."""
    return sha256(canonical(value))
