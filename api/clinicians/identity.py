"""The authenticated clinician. Pure."""

import datetime
from dataclasses import dataclass
from typing import Literal

Scope = Literal["aggregates:read"]
READ_AGGREGATES: Scope = "aggregates:read"
Kind = Literal["key", "access_token"]


@dataclass(frozen=True)
class Clinician:
    """A clinician, authenticated by a key or by an access token of the issuer.

    `who` identifies them in the audit log: the key's id, or a hash of issuer and subject.
    `name` is the key's name, or the one from the issuer; only the former is logged.
    """

    kind: Kind
    who: str
    name: str | None
    scopes: frozenset[str]
    expires_at: datetime.datetime
    issuer: str | None
