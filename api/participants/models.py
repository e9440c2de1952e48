"""Tables of participants. Every key starts with the participant: one person, one shard."""

import datetime
import uuid
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from api.core.db import JsonDocument, PersonalTable, UtcDateTime, table_of


class Participant(SQLModel, table=True):
    """A person we know by a random id alone."""

    __tablename__ = "participant"
    # Few rows at any time: what a purge reads, however many people there are.
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
    # The number of the newest change; it counts without gaps, see `changes`.
    last_change: int
    # Whether any call was ever made with a token of theirs: noted once, and nothing finer.
    used: bool
    # What the newest consent says, beside it: every call that stores something asks for it.
    storage_consent: bool


class Device(PersonalTable, table=True):
    """A phone of a participant; its secret is kept as a hash."""

    __tablename__ = "device"

    device_id: uuid.UUID = Field(primary_key=True)
    secret_hash: str = Field(max_length=64)
    # A new token that waits for its first use; until then the old one lives.
    pending_hash: str | None = Field(max_length=64, nullable=True)
    created_at: datetime.datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime.datetime | None = Field(sa_type=UtcDateTime)


class ConsentRecord(PersonalTable, table=True):
    """What a participant agreed to, and when; the newest counts, the older stay as history."""

    __tablename__ = "consent_record"

    number: int = Field(primary_key=True)
    version: str = Field(max_length=32)
    storage: bool
    research: bool
    given_at: datetime.datetime = Field(sa_type=UtcDateTime)


class RecordedChange(PersonalTable, table=True):
    """That something of a participant became new or was deleted. What it is stands elsewhere."""

    __tablename__ = "recorded_change"
    __table_args__ = (Index("ix_recorded_change_record", "participant_id", "record_id"),)

    number: int = Field(primary_key=True)
    kind: str = Field(max_length=16)
    record_id: uuid.UUID
    deleted: bool
    changed_at: datetime.datetime = Field(sa_type=UtcDateTime)


class StoredSchedule(PersonalTable, table=True):
    """A plan from one of the participant's own dates on; the newest row is the one in force.

    One row a day at most: what was planned on a past day stays known, since adherence is measured
    against it.
    """

    __tablename__ = "schedule"

    in_force_from: datetime.date = Field(primary_key=True)
    version: int
    # Without a plan it holds JSON's own null.
    plan: dict[str, Any] | None = Field(sa_type=JsonDocument, nullable=False)
    changed_at: datetime.datetime = Field(sa_type=UtcDateTime)


class CalendarFeed(SQLModel, table=True):
    """The address of a calendar. Its key is all that a calendar program sends."""

    __tablename__ = "calendar_feed"

    token_hash: str = Field(primary_key=True, max_length=64)
    participant_id: uuid.UUID = Field(
        index=True, foreign_key="participant.participant_id", ondelete="CASCADE"
    )
    created_at: datetime.datetime = Field(sa_type=UtcDateTime)


class StoredRecoveryCode(SQLModel, table=True):
    """What links a further phone. Its key is what a person types, since they know no id."""

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
    """The hash of a token whose owner was erased, and nothing else: it names nobody."""

    __tablename__ = "erased_token"

    secret_hash: str = Field(primary_key=True, max_length=64)
    erased_at: datetime.datetime = Field(sa_type=UtcDateTime)


PARTICIPANTS = table_of(Participant)
DEVICES = table_of(Device)
CONSENTS = table_of(ConsentRecord)
CHANGES = table_of(RecordedChange)
SCHEDULES = table_of(StoredSchedule)
FEEDS = table_of(CalendarFeed)
RECOVERY = table_of(StoredRecoveryCode)
ERASED_TOKENS = table_of(ErasedToken)
