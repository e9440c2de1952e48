"""Wire shapes of synchronising: batches with receipts, changes, and reconciling."""

from typing import Annotated, Literal

from pydantic import Field, SkipValidation

from api.content.schemas import Hash, Sentence
from api.http.fields import (
    INT32,
    LARGEST_INT32,
    DeviceInstant,
    Instant,
    RecordId,
    RequestModel,
    ResponseModel,
)
from api.http.pages import MAX_LIMIT
from api.journal.schemas import (
    Adjusted,
    LoggedClearance,
    LoggedSession,
    LoggedSymptomReport,
    NewClearance,
    NewSession,
    NewSymptomReport,
)
from api.triage.schemas import Level

MAX_ITEMS = 500
MAX_KNOWN = 5000
# 500 sessions with 100 items each, every field given, are 558,000 values.
MAX_BATCH_VALUES = 600_000

RecordKind = Annotated[
    Literal["session", "symptom_report", "clearance"],
    Field(description="Skip an unknown value.", examples=["session"]),
]
Number = Annotated[int, Field(ge=0, le=LARGEST_INT32, json_schema_extra=INT32, examples=[0])]


class Batch(RequestModel):
    """Records that a device kept while offline: up to 500 in total.

    Each record is processed separately, so that an invalid one never blocks the others: the
    receipts report the result of each.
    """

    device_time: Annotated[
        DeviceInstant | None,
        Field(
            description="The current time of the device's clock.", examples=["2026-11-22T10:00:00Z"]
        ),
    ] = None
    sessions: Annotated[list[SkipValidation[NewSession]], Field(max_length=MAX_ITEMS)] = []
    symptom_reports: Annotated[
        list[SkipValidation[NewSymptomReport]], Field(max_length=MAX_ITEMS)
    ] = []
    clearances: Annotated[list[SkipValidation[NewClearance]], Field(max_length=MAX_ITEMS)] = []


class Receipt(ResponseModel):
    """What became of one record of a batch."""

    kind: RecordKind
    index: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_ITEMS - 1,
            json_schema_extra=INT32,
            description="Its place in the list of its kind, from 0.",
        ),
    ]
    id: Annotated[RecordId | None, Field(description="Null if it had no readable id.")]
    status: Annotated[
        Literal["created", "duplicate", "conflict", "rejected"],
        Field(description="Keep the record of an unknown value, and send it again later."),
    ]
    action: Annotated[
        Literal["none", "fix", "retry_later", "drop"],
        Field(
            description="What to do: `none`, it is stored, remove it from the queue; `fix`, "
            "change what `pointer` refers to and send it again; `retry_later`, "
            "send it again unchanged; `drop`, it can never be stored. Treat an "
            "unknown value as `retry_later`."
        ),
    ]
    code: Annotated[
        str | None,
        Field(
            max_length=64,
            pattern=r"^[a-z0-9_]+$",
            description="`deleted` for a duplicate that you deleted; otherwise why it was "
            "rejected.",
            examples=[None],
        ),
    ]
    detail: Annotated[str | None, Field(max_length=1000, examples=[None])]
    pointer: Annotated[
        str | None,
        Field(
            max_length=500,
            description="JSON Pointer (RFC 6901) into the batch, to the first fault.",
            examples=[None],
        ),
    ]
    content_hash: Annotated[
        Hash | None,
        Field(
            description="The hash of what was sent; null if nothing was stored. Echo it in "
            "a reconciliation."
        ),
    ]
    adjusted: Adjusted
    decision_level: Annotated[
        Level | None,
        Field(
            description="The level of a report's current decision, or of the advice on a "
            "session's pain: fetch the record to show it. For a rejected report: "
            "the level of its usable parts. Otherwise null. Treat an unknown "
            "value as `emergency`."
        ),
    ]
    decision_headline: Annotated[
        Sentence | None, Field(description="What to do at that level, as text. Otherwise null.")
    ]


class BatchReceipts(ResponseModel):
    """A receipt for every record: sessions, then reports, then clearances, each in its order."""

    receipts: Annotated[list[Receipt], Field(max_length=MAX_ITEMS)]
    server_time: Instant
    clock_skew_seconds: Annotated[
        int | None,
        Field(
            ge=-LARGEST_INT32,
            le=LARGEST_INT32,
            json_schema_extra=INT32,
            description="Seconds by which the device's clock is ahead of the server's; limited to "
            "about 68 years.",
            examples=[0],
        ),
    ]


class ChangedRecord(ResponseModel):
    """A record that was stored, changed or deleted.

    Apply it by its id; applying it twice is safe.
    """

    number: Annotated[Number, Field(description="Counts the participant's changes, without gaps.")]
    kind: Annotated[
        Literal["session", "symptom_report", "clearance", "profile", "consent", "schedule"],
        Field(
            description="`profile`, `consent` and `schedule` exist once: fetch them again. Skip "
            "an unknown value."
        ),
    ]
    id: RecordId
    changed_at: Instant
    deleted: Annotated[bool, Field(description="True if it was deleted: remove your copy.")]
    session: LoggedSession | None
    symptom_report: LoggedSymptomReport | None
    clearance: LoggedClearance | None


class ChangeList(ResponseModel):
    """A page of changes in the order in which they were stored."""

    items: Annotated[list[ChangedRecord], Field(max_length=MAX_LIMIT)]
    next_cursor: Annotated[
        str,
        Field(
            max_length=512, description="Store it, and send it with the next request.", min_length=1
        ),
    ]
    has_more: Annotated[bool, Field(description="Whether more changes are available now.")]


class KnownRecord(RequestModel):
    """A record that a device believes to be stored."""

    kind: RecordKind
    id: RecordId
    content_hash: Annotated[
        Hash | None, Field(description="As the server returned it; null if you never received one.")
    ] = None


class Reconciliation(RequestModel):
    """Records that a device believes to be stored."""

    items: Annotated[list[KnownRecord], Field(max_length=MAX_KNOWN)]


class ReconciledRecord(ResponseModel):
    """Whether a record is stored as the device believes."""

    kind: RecordKind
    id: RecordId
    status: Annotated[
        Literal["present", "missing", "different", "deleted"],
        Field(
            description="`missing`: send it again. `different`: fetch it. `deleted`: remove your "
            "copy. Ask again about an unknown value."
        ),
    ]
    content_hash: Annotated[Hash | None, Field(description="The hash of the stored record.")]


class Reconciled(ResponseModel):
    """The stored state of each record, in the order of the request."""

    items: Annotated[list[ReconciledRecord], Field(max_length=MAX_KNOWN)]
