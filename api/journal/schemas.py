"""Wire shapes of the journal: session logs and symptom reports."""

from typing import Annotated, Literal

from pydantic import Field

from api.content.schemas import AnyActivityKind, Hash, Name, Sentence, Slug
from api.content.vocabulary import ActivityKind, CareLevel
from api.http.fields import (
    INT32,
    LARGEST_INT32,
    STORABLE,
    WHOLE,
    Instant,
    LocalDate,
    RecordId,
    RequestModel,
    ResponseModel,
    TimeZoneName,
)
from api.http.pages import MAX_LIMIT, NextCursor
from api.triage.schemas import (
    ActivityStatus,
    AgeYears,
    Answer,
    Decision,
    EngineName,
    Level,
    PainScore,
    QuestionId,
    ReportedCountry,
    ReportFields,
    RuleName,
    SessionAdvice,
    Trend,
    Weeks,
)

SessionStatus = Annotated[
    Literal["completed", "partial", "abandoned"],
    Field(description="Show an unknown value as `partial`.", examples=["completed"]),
]
Side = Annotated[
    Literal["left", "right", "both"],
    Field(description="Show an unknown value as `both`.", examples=["left"]),
]
Pain = Annotated[
    Annotated[int, Field(ge=0, le=10, json_schema_extra=INT32), WHOLE] | None,
    Field(description="0 (none) to 10 (worst imaginable).", examples=[4]),
]
Effort = Annotated[
    Annotated[int, Field(ge=0, le=10, json_schema_extra=INT32), WHOLE] | None,
    Field(description="How hard it felt, 0 (no effort) to 10 (the most possible).", examples=[3]),
]
Seconds = Annotated[
    Annotated[int, Field(ge=0, le=86_400, json_schema_extra=INT32), WHOLE] | None,
    Field(examples=[150]),
]
Amount = Annotated[
    Annotated[int, Field(ge=0, le=10_000, json_schema_extra=INT32), WHOLE] | None,
    Field(examples=[15]),
]
Note = Annotated[
    Annotated[str, Field(max_length=500), STORABLE] | None,
    Field(
        description="A free-text note; only the participant can read it through the API.",
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


Deleted = Annotated[
    bool,
    Field(
        description="True if you deleted it before: it is not stored again.",
        examples=[False],
    ),
]


class Adjustment(ResponseModel):
    """A value that the server put in the place of the one that was sent."""

    pointer: Annotated[
        str,
        Field(
            max_length=500,
            description="JSON Pointer (RFC 6901) into what was sent.",
            examples=["/local_date"],
        ),
    ]
    code: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[a-z0-9_]+$",
            description="`date_mismatch`: the sent date contradicts the instant and the time "
            "zone; the date is derived from these.",
            examples=["date_mismatch"],
        ),
    ]


Adjusted = Annotated[
    list[Adjustment],
    Field(
        max_length=20,
        description="Values that are stored differently from what was sent. The record is "
        "stored, and its content hash is that of what was sent.",
        examples=[[]],
    ),
]


class SessionItem(RequestModel):
    """One activity of a session: what was done, and what was meant to be done."""

    activity_id: Annotated[Slug, Field(examples=["toe-curls"])]
    kind: Annotated[ActivityKind, Field(examples=["exercise"])]
    side: Side
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
    local_date: Annotated[LocalDate, Field(description="The user's local date when it started.")]
    time_zone: TimeZoneName
    status: SessionStatus
    items: Annotated[list[SessionItem], Field(max_length=100)]
    pain_before: Pain = None
    pain_after: Pain = None
    effort: Effort = None
    note: Note = None


class LoggedItem(ResponseModel):
    """One activity of a stored session."""

    activity_id: Slug
    kind: AnyActivityKind
    side: Side
    seconds: Seconds
    sets: Amount
    repetitions: Annotated[Amount, Field(description="In each set.")]
    target_seconds: Seconds
    target_sets: Amount
    target_repetitions: Annotated[Amount, Field(description="In each set.")]
    skipped: bool


class LoggedSession(ResponseModel):
    """A stored session."""

    id: RecordId
    content_hash: Annotated[Hash, Field(description="Echo it; never compute it.")]
    received_at: Instant
    deleted: Deleted
    adjusted: Adjusted
    replaces: Annotated[
        RecordId | None, Field(description="The session that this one corrects.", examples=[None])
    ]
    routine_id: Slug | None
    started_at: Instant
    ended_at: Instant
    local_date: LocalDate
    time_zone: TimeZoneName
    status: SessionStatus
    items: Annotated[list[LoggedItem], Field(max_length=100)]
    pain_before: Pain
    pain_after: Pain
    effort: Effort
    note: Note
    advice: Annotated[
        list[SessionAdvice],
        Field(max_length=20, description="The advice of the rule set on the session's pain."),
    ]


class DeviceDecision(RequestModel):
    """The decision that the device made and displayed while offline."""

    level: Annotated[CareLevel, Field(examples=["see_professional"])]
    rule_set_hash: Annotated[Hash, Field(examples=["0" * 64])]


class NewSymptomReport(ReportFields):
    """A symptom report. Sent again with the same id it is stored once."""

    id: ClientId
    reported_at: Instant
    local_date: Annotated[LocalDate, Field(description="The user's local date.")]
    time_zone: TimeZoneName
    note: Note = None
    device_decision: DeviceDecision | None = None


class LoggedSymptomReport(ResponseModel):
    """A stored symptom report with its decision."""

    id: RecordId
    content_hash: Annotated[Hash, Field(description="Echo it; never compute it.")]
    received_at: Instant
    deleted: Deleted
    adjusted: Adjusted
    reported_at: Instant
    local_date: LocalDate
    time_zone: TimeZoneName
    pain_score: PainScore
    weeks: Weeks
    trend: Trend
    age_years: AgeYears
    country: ReportedCountry
    answers: Annotated[
        dict[QuestionId, Answer],
        Field(max_length=200, description="The answered questions."),
    ]
    note: Note
    device_agrees: Annotated[
        bool | None,
        Field(
            description="Whether the device's decision has the level that the server computes"
            " with the same rule set; null if the device sent none, or its rule "
            "set is unknown."
        ),
    ]
    decision: Decision


class NewClearance(RequestModel):
    """A professional has seen the user and said that the activities are fine."""

    id: ClientId
    cleared_at: Annotated[Instant, Field(description="When the professional said so.")]


Record = NewSession | NewSymptomReport | NewClearance


class LoggedClearance(ResponseModel):
    """A stored clearance."""

    id: RecordId
    content_hash: Annotated[Hash, Field(description="Echo it; never compute it.")]
    received_at: Instant
    cleared_at: Instant


class DecisionDetails(ResponseModel):
    """A decision as it was stored, with everything needed to compute it again."""

    id: RecordId
    report_id: RecordId
    engine: EngineName
    rule_set_hash: Hash
    supersedes: Annotated[
        RecordId | None, Field(description="The decision that this one took the place of.")
    ]
    superseded_by: Annotated[
        RecordId | None,
        Field(description="The current decision; null if it is this one."),
    ]
    certain_facts: Annotated[list[Name], Field(max_length=500)]
    possible_facts: Annotated[list[Name], Field(max_length=500)]
    fired: Annotated[list[RuleName], Field(max_length=200)]
    undecided: Annotated[list[RuleName], Field(max_length=200)]
    decision: Decision


class ReplayedDecision(ResponseModel):
    """A decision computed again from its stored rule set and report."""

    identical: bool
    differences: Annotated[list[Name], Field(max_length=50, description="The fields that differ.")]
    rule_set_hash: Hash
    engine: EngineName


class SessionList(ResponseModel):
    """A page of sessions, newest first."""

    items: Annotated[list[LoggedSession], Field(max_length=MAX_LIMIT)]
    next_cursor: NextCursor


class SymptomReportList(ResponseModel):
    """A page of symptom reports, newest first."""

    items: Annotated[list[LoggedSymptomReport], Field(max_length=MAX_LIMIT)]
    next_cursor: NextCursor


# As many as there are rows: no bound but that of the number itself.
Count = Annotated[int, Field(ge=0, le=LARGEST_INT32, json_schema_extra=INT32)]


class Streak(ResponseModel):
    """Consecutive days, by the user's local dates; today counts once there is a session.

    A date that the user skipped by flying west over the date line does not break a streak.
    """

    days: Count
    last_active_on: LocalDate | None


class ProgressWeek(ResponseModel):
    """One week from Monday to Sunday; the running one is measured by its days so far."""

    starts_on: LocalDate
    sessions: Count
    active_days: Annotated[int, Field(ge=0, le=7, json_schema_extra=INT32)]
    minutes: Annotated[
        Count,
        Field(
            description="Overlapping time counts once; a session of more than two hours counts "
            "the time of its items, as it was probably not stopped."
        ),
    ]
    planned_days: Annotated[
        int,
        Field(
            ge=0,
            le=7,
            description="By the schedule in force on each day; every day without one.",
            json_schema_extra=INT32,
        ),
    ]
    adherence_percent: Annotated[
        int | None,
        Field(
            ge=0,
            le=100,
            description="The share of planned days that were active; null if no day was planned.",
            json_schema_extra=INT32,
        ),
    ]


class PainProgress(ResponseModel):
    """The first seven days with pain scores compared with the last seven, in tenths of a point.

    A change counts from 2 points of 10, or 30 % of the baseline. It does not prove an effect of the
    activities: most back pain changes by itself.
    """

    status: Annotated[
        Literal["improved", "worse", "no_important_change", "not_enough_data"],
        Field(description="Show an unknown value as `not_enough_data`."),
    ]
    baseline_tenths: Annotated[int, Field(ge=0, le=100, json_schema_extra=INT32)] | None
    current_tenths: Annotated[int, Field(ge=0, le=100, json_schema_extra=INT32)] | None
    change_tenths: Annotated[int, Field(ge=-100, le=100, json_schema_extra=INT32)] | None
    change_percent: Annotated[int, Field(ge=-100, le=10_000, json_schema_extra=INT32)] | None
    explanation: Sentence


class LastDecision(ResponseModel):
    """The decision on the newest report; null if there is no report."""

    model_config = {
        **ResponseModel.model_config,
        "json_schema_extra": {"type": ["object", "null"], "additionalProperties": False},
    }

    decision_id: RecordId
    report_id: RecordId
    reported_at: Instant
    level: Level
    headline: Sentence
    see_professional: bool


class ActivitiesInForce(ResponseModel):
    """Whether the activities may go on now, and the rules that say otherwise."""

    status: ActivityStatus
    text: Sentence
    # Holds of all the rule sets there ever were.
    rule_ids: Annotated[list[RuleName], Field(max_length=10_000)]


class Progress(ResponseModel):
    """A participant's progress."""

    today: Annotated[LocalDate, Field(description="The user's local date.")]
    time_zone: TimeZoneName
    streak: Streak
    sessions_total: Count
    active_days_total: Count
    weeks: Annotated[list[ProgressWeek], Field(max_length=12, description="Newest first.")]
    pain: PainProgress
    last_decision: LastDecision | None
    activities: ActivitiesInForce
