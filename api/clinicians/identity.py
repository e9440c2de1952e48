"""A clinician who has proved who they are. Pure."""

import datetime
from dataclasses import dataclass
from typing import Literal

Scope = Literal["aggregates:read"]
READ_AGGREGATES: Scope = "aggregates:read"
Kind = Literal["key", "access_token"]


@dataclass(frozen=True)
class Clinician:
    """Who calls: by a key of ours, or by an access token of the issuer.

    `who` is what the audit log keeps: the key's id, or a hash of issuer and subject.
    `name` is the key's, or what the issuer calls them; the log keeps only the former.
    """

    kind: Kind
    who: str
    name: str | None
    scopes: frozenset[str]
    expires_at: datetime.datetime
    issuer: str | None
