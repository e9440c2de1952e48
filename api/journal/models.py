"""Tables of the journal. Every key starts with the participant: one person, one shard."""

import datetime
import uuid
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from api.core.db import JsonDocument, PersonalTable, UtcDateTime


class ExerciseSession(PersonalTable, table=True):
    """A session, as the device sent it."""

    __tablename__ = "exercise_session"
    __table_args__ = (
        Index("ix_exercise_session_newest", "participant_id", "started_at", "id"),
        # For publications, which read what arrived in a period.
        Index("ix_exercise_session_received", "received_at"),
        Index(
            "ix_exercise_session_corrected",
            "participant_id",
            "replaces",
            sqlite_where=text("replaces IS NOT NULL"),
            postgresql_where=text("replaces IS NOT NULL"),
        ),
        Index(
            "ix_exercise_session_original",
            "participant_id",
            "original",
            "id",
            sqlite_where=text("original IS NOT NULL"),
            postgresql_where=text("original IS NOT NULL"),
        ),
    )

    id: uuid.UUID = Field(primary_key=True)
    content_hash: str = Field(max_length=64)
    received_at: datetime.datetime = Field(sa_type=UtcDateTime)
    replaces: uuid.UUID | None
    # The first of the sessions that this one corrects, as far as they have arrived: see `counted`.
    original: uuid.UUID | None = None
    routine_id: str | None = Field(max_length=64)
    started_at: datetime.datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime.datetime = Field(sa_type=UtcDateTime)
    local_date: datetime.date
    # What the device sent where instant and zone contradict it.
    sent_local_date: datetime.date | None = None
    time_zone: str = Field(max_length=64)
    status: str = Field(max_length=16)
    items: list[dict[str, Any]] = Field(sa_type=JsonDocument)
    pain_before: int | None
    pain_after: int | None
    effort: int | None
    note: str | None = Field(max_length=500)


class SymptomReport(PersonalTable, table=True):
    """A symptom report, as the device sent it."""

    __tablename__ = "symptom_report"
    __table_args__ = (
        Index("ix_symptom_report_newest", "participant_id", "reported_at", "id"),
        Index("ix_symptom_report_received", "received_at"),
    )

    id: uuid.UUID = Field(primary_key=True)
    content_hash: str = Field(max_length=64)
    received_at: datetime.datetime = Field(sa_type=UtcDateTime)
    reported_at: datetime.datetime = Field(sa_type=UtcDateTime)
    local_date: datetime.date
    # What the device sent where instant and zone contradict it.
    sent_local_date: datetime.date | None = None
    time_zone: str = Field(max_length=64)
    pain_score: int | None
    weeks: int | None
    trend: str | None = Field(max_length=16)
    age_years: int | None
    country: str | None = Field(max_length=2)
    answers: dict[str, str] = Field(sa_type=JsonDocument)
    note: str | None = Field(max_length=500)
    # The decision the device made offline, and whether the server's is the same.
    device_level: str | None = Field(max_length=32)
    device_rule_set_hash: str | None = Field(max_length=64)
    device_agrees: bool | None
    # The current decision; earlier ones remain, linked by `supersedes`.
    decision_id: uuid.UUID


class StoredDecision(SQLModel, table=True):
    """The result of triage for a report, with everything needed to replay it."""

    __tablename__ = "decision"
    __table_args__ = (
        ForeignKeyConstraint(
            ["participant_id", "report_id"],
            ["symptom_report.participant_id", "symptom_report.id"],
            ondelete="CASCADE",
        ),
        Index("ix_decision_report", "participant_id", "report_id"),
    )

    # Erased with its report, which is erased with the participant.
    participant_id: uuid.UUID = Field(primary_key=True)
    id: uuid.UUID = Field(primary_key=True)
    report_id: uuid.UUID
    rule_set_hash: str = Field(max_length=64)
    engine: str = Field(max_length=64)
    level: str = Field(max_length=32)
    activity_status: str = Field(max_length=16)
    evaluated_at: datetime.datetime = Field(sa_type=UtcDateTime)
    language: str = Field(max_length=2)
    # A late report can change a decision: the new one refers to the old one, and neither is edited.
    supersedes: uuid.UUID | None
    history_facts: list[str] = Field(sa_type=JsonDocument)
    facts: dict[str, Any] = Field(sa_type=JsonDocument)
    fired: list[str] = Field(sa_type=JsonDocument)
    undecided: list[str] = Field(sa_type=JsonDocument)
    document: dict[str, Any] = Field(sa_type=JsonDocument)


class ActivityHold(PersonalTable, table=True):
    """The pause, stop or caution of a decision. It outlives its report: see `holds`."""

    __tablename__ = "activity_hold"

    decision_id: uuid.UUID = Field(primary_key=True)
    # The activity status of each rule that fired.
    rules: dict[str, str] = Field(sa_type=JsonDocument)
    reported_at: datetime.datetime = Field(sa_type=UtcDateTime)


class Clearance(PersonalTable, table=True):
    """A user's report that a professional has seen them and said that the activities are fine."""

    __tablename__ = "clearance"

    id: uuid.UUID = Field(primary_key=True)
    content_hash: str = Field(max_length=64)
    received_at: datetime.datetime = Field(sa_type=UtcDateTime)
    cleared_at: datetime.datetime = Field(sa_type=UtcDateTime)
