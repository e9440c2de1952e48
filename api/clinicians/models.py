"""Tables of clinicians: keys, and the log of every query. Neither holds a participant's data."""

import datetime
import uuid
from typing import Any

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field, SQLModel

from api.core.db import JsonDocument, UtcDateTime


class ClinicianKey(SQLModel, table=True):
    """A key that an operator issued to a clinician; its secret is stored as a hash."""

    __tablename__ = "clinician_key"

    key_id: uuid.UUID = Field(primary_key=True)
    name: str = Field(max_length=100, index=True)
    secret_hash: str = Field(max_length=64)
    scopes: list[str] = Field(sa_type=JsonDocument)
    created_at: datetime.datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime.datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime.datetime | None = Field(sa_type=UtcDateTime)


class AuditEntry(SQLModel, table=True):
    """One query of one clinician. Triggers prevent changing or deleting it."""

    __tablename__ = "audit_entry"

    # SQLite numbers rows only in a column of exactly INTEGER, PostgreSQL in one of any width.
    number: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    )
    asked_at: datetime.datetime = Field(sa_type=UtcDateTime, index=True)
    kind: str = Field(max_length=16)
    who: str = Field(max_length=64, index=True)
    name: str | None = Field(max_length=100)
    operation: str = Field(max_length=64)
    parameters: dict[str, Any] = Field(sa_type=JsonDocument)
    status: int
    request_id: str = Field(max_length=64)
