"""Tables of participants, their devices and choices."""

import datetime
import uuid
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from api.core.db import JsonDocument, PersonalTable, UtcDateTime


class Participant(SQLModel, table=True):
    """A person, known only by a random id."""

    __tablename__ = "participant"
    # A small partial index for the purge, however many participants there are.
    __table_args__ = (
        Index(
            "ix_participant_unused",
            "enrolled_at",
            postgresql_where=text("NOT used"),
            sqlite_where=text("NOT used"),
        ),
    )

    participant_id: uuid.UUID = Field(primary_key=True)
    enrolled_at: datetime.datetime = Field(sa_type=UtcDateTime)
    time_zone: str = Field(max_length=64)
    language: str = Field(max_length=35)
    age_band: str = Field(max_length=16)
    region: str = Field(max_length=64)
    conditions: list[str] = Field(sa_type=JsonDocument)
    # The number of the newest change, without gaps; see `changes`.
    last_change: int
    # Whether any of their tokens was ever used. Nothing finer is recorded.
    used: bool
    # A copy of the newest consent's, because every upload needs it.
    storage_consent: bool


class Device(PersonalTable, table=True):
    """A participant's device; its secret is stored as a hash."""

    __tablename__ = "device"

    device_id: uuid.UUID = Field(primary_key=True)
    secret_hash: str = Field(max_length=64)
    # A rotated token before its first use; until then the previous one is valid.
    pending_hash: str | None = Field(max_length=64)
    created_at: datetime.datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime.datetime | None = Field(sa_type=UtcDateTime)


class ConsentRecord(PersonalTable, table=True):
    """A consent given by a participant; the newest applies, older ones are kept as history."""

    __tablename__ = "consent_record"

    number: int = Field(primary_key=True)
    version: str = Field(max_length=32)
    storage: bool
    research: bool
    given_at: datetime.datetime = Field(sa_type=UtcDateTime)


class RecordedChange(PersonalTable, table=True):
    """An entry of the change feed: which record was stored, changed or deleted."""

    __tablename__ = "recorded_change"
    __table_args__ = (Index("ix_recorded_change_record", "participant_id", "record_id"),)

    number: int = Field(primary_key=True)
    kind: str = Field(max_length=16)
    record_id: uuid.UUID
    deleted: bool
    changed_at: datetime.datetime = Field(sa_type=UtcDateTime)


class StoredSchedule(PersonalTable, table=True):
    """A weekly schedule from one of the participant's own dates on; the newest row is in force.

    At most one row a day. Older rows are kept, because adherence on past days is measured by the
    schedule of then.
    """

    __tablename__ = "schedule"

    in_force_from: datetime.date = Field(primary_key=True)
    version: int
    # JSON null after the schedule was deleted.
    plan: dict[str, Any] | None = Field(sa_type=JsonDocument, nullable=False)
    changed_at: datetime.datetime = Field(sa_type=UtcDateTime)


class CalendarFeed(SQLModel, table=True):
    """A calendar URL. Its key is the hash of the URL's secret, which is all that programs send."""

    __tablename__ = "calendar_feed"

    token_hash: str = Field(primary_key=True, max_length=64)
    participant_id: uuid.UUID = Field(
        index=True, foreign_key="participant.participant_id", ondelete="CASCADE"
    )
    created_at: datetime.datetime = Field(sa_type=UtcDateTime)


class RecoveryCodeHash(SQLModel, table=True):
    """A recovery code, to link another device. Its key is the part of the code that locates it."""

    __tablename__ = "recovery_code"

    locator: str = Field(primary_key=True, max_length=8)
    participant_id: uuid.UUID = Field(
        index=True, foreign_key="participant.participant_id", ondelete="CASCADE"
    )
    secret_hash: str = Field(max_length=64)
    created_at: datetime.datetime = Field(sa_type=UtcDateTime)
    failed_attempts: int
    locked_until: datetime.datetime | None = Field(sa_type=UtcDateTime)


class ErasedToken(SQLModel, table=True):
    """The hash of a token whose participant was erased; it identifies no one."""

    __tablename__ = "erased_token"

    secret_hash: str = Field(primary_key=True, max_length=64)
    erased_at: datetime.datetime = Field(sa_type=UtcDateTime)
