"""Wire shapes of the journal: session logs and symptom reports."""

import datetime
import uuid
from typing import Annotated, Literal

from pydantic import Field

from api.content.schemas import Hash, Slug
from api.content.vocabulary import ActivityKind
from api.http.fields import (
    Instant,
    LocalDate,
    PlainText,
    RecordId,
    RequestModel,
    ResponseModel,
    TimeZoneName,
    Whole,
)
from api.http.pages import MAX_LIMIT
from api.triage.schemas import Decision, ReportFields

Int32 = {"format": "int32"}
NOTE_LENGTH = 500
SessionStatus = Literal["completed", "partial", "abandoned"]
Side = Literal["left", "right", "both"]
Pain = Annotated[
    Whole | None,
    Field(
        ge=0,
        le=10,
        description="0 (none) to 10 (worst imaginable).",
        json_schema_extra=Int32,
        examples=[4],
    ),
]
Effort = Annotated[
    Whole | None,
    Field(
        ge=0,
        le=10,
        description="How hard it felt, 0 (no effort) to 10 (the most possible).",
        json_schema_extra=Int32,
        examples=[3],
    ),
]
Seconds = Annotated[Whole | None, Field(ge=0, le=86_400, json_schema_extra=Int32, examples=[150])]
Amount = Annotated[Whole | None, Field(ge=0, le=10_000, json_schema_extra=Int32, examples=[15])]
Note = Annotated[
    Annotated[PlainText, Field(max_length=NOTE_LENGTH)] | None,
    Field(
        description="The participant's own words; nobody else reads them.",
        examples=["Easier than yesterday."],
    ),
]
ClientId = Annotated[
    RecordId,
    Field(
        description="Made by the client and never reused; UUIDv7 advised.",
        examples=["01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"],
    ),
]


class SessionItem(RequestModel):
    """One activity of a session: what was done, and what was meant to be done."""

    activity_id: Annotated[Slug, Field(examples=["toe-curls"])]
    kind: Annotated[ActivityKind, Field(examples=["exercise"])]
    side: Annotated[Side, Field(examples=["left"])]
    seconds: Seconds = None
    sets: Amount = None
    repetitions: Annotated[Amount, Field(description="In each set.")] = None
    target_seconds: Seconds = None
    target_sets: Amount = None
    target_repetitions: Annotated[Amount, Field(description="In each set.")] = None
    skipped: Annotated[bool, Field(strict=True, examples=[False])] = False


class NewSession(RequestModel):
    """A finished session. Sent again with the same id it is stored once."""

    id: ClientId
    replaces: Annotated[
        RecordId | None, Field(description="The session that this one corrects.", examples=[None])
    ] = None
    routine_id: Annotated[Slug | None, Field(examples=["daily-15-minutes"])] = None
    started_at: Instant
    ended_at: Annotated[Instant, Field(examples=["2026-11-22T10:15:00Z"])]
    local_date: Annotated[LocalDate, Field(description="The person's own date when it started.")]
    time_zone: TimeZoneName
    status: Annotated[SessionStatus, Field(examples=["completed"])]
    items: Annotated[list[SessionItem], Field(max_length=100)]
    pain_before: Pain = None
    pain_after: Pain = None
    effort: Effort = None
    note: Note = None


class LoggedItem(ResponseModel):
    """One activity of a stored session."""

    activity_id: Slug
    kind: ActivityKind
    side: Side
    seconds: Annotated[int | None, Field(ge=0, le=86_400, json_schema_extra=Int32)]
    sets: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    repetitions: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    target_seconds: Annotated[int | None, Field(ge=0, le=86_400, json_schema_extra=Int32)]
    target_sets: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    target_repetitions: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    skipped: bool


class LoggedSession(ResponseModel):
    """A stored session."""

    id: uuid.UUID
    content_hash: Annotated[Hash, Field(description="Echo it; never compute it.")]
    received_at: datetime.datetime
    replaces: uuid.UUID | None
    routine_id: Annotated[str | None, Field(max_length=64)]
    started_at: datetime.datetime
    ended_at: datetime.datetime
    local_date: datetime.date
    time_zone: Annotated[str, Field(max_length=64)]
    status: SessionStatus
    items: Annotated[list[LoggedItem], Field(max_length=100)]
    pain_before: Annotated[int | None, Field(ge=0, le=10, json_schema_extra=Int32)]
    pain_after: Annotated[int | None, Field(ge=0, le=10, json_schema_extra=Int32)]
    effort: Annotated[int | None, Field(ge=0, le=10, json_schema_extra=Int32)]
    note: Annotated[str | None, Field(max_length=NOTE_LENGTH)]


class NewSymptomReport(ReportFields):
    """A symptom report. Sent again with the same id it is stored once."""

    id: ClientId
    reported_at: Instant
    local_date: Annotated[LocalDate, Field(description="The person's own date.")]
    time_zone: TimeZoneName
    note: Note = None


class StoredSymptomReport(ResponseModel):
    """A stored symptom report with its decision."""

    id: uuid.UUID
    content_hash: Annotated[Hash, Field(description="Echo it; never compute it.")]
    received_at: datetime.datetime
    reported_at: datetime.datetime
    local_date: datetime.date
    time_zone: Annotated[str, Field(max_length=64)]
    pain_score: Annotated[int | None, Field(ge=0, le=10, json_schema_extra=Int32)]
    weeks: Annotated[int | None, Field(ge=0, le=5200, json_schema_extra=Int32)]
    trend: Literal["better", "same", "worse"] | None
    age_years: Annotated[int | None, Field(ge=0, le=120, json_schema_extra=Int32)]
    country: Annotated[str | None, Field(max_length=2)]
    answers: Annotated[
        dict[str, Annotated[str, Field(max_length=64)]],
        Field(max_length=200, description="The questions that were answered."),
    ]
    note: Annotated[str | None, Field(max_length=NOTE_LENGTH)]
    decision: Decision


class SessionList(ResponseModel):
    """A page of one's own sessions, newest first."""

    items: Annotated[list[LoggedSession], Field(max_length=MAX_LIMIT)]
    next_cursor: Annotated[str | None, Field(max_length=512)]


class SymptomReportList(ResponseModel):
    """A page of one's own symptom reports, newest first."""

    items: Annotated[list[StoredSymptomReport], Field(max_length=MAX_LIMIT)]
    next_cursor: Annotated[str | None, Field(max_length=512)]
