"""Wire shapes of erasure and export."""

from typing import Annotated, Any

from pydantic import Field

from api.aggregates.ledger import Entered
from api.aggregates.schemas import (
    MOST_PERIODS,
    Delta,
    Percent,
    PeriodKind,
    PrivacyParameter,
    PublicationName,
)
from api.content.schemas import Name, Sentence
from api.http.fields import INT32, LARGEST_INT32, Instant, LocalDate, RecordId, ResponseModel

Rows = Annotated[
    list[Annotated[dict[str, Any], Field(max_length=50)]],
    Field(max_length=LARGEST_INT32, description="Every row, with its columns by name."),
]


class ErasedTable(ResponseModel):
    """How many records of one kind were erased."""

    name: Name
    records: Annotated[int, Field(ge=0, le=LARGEST_INT32, json_schema_extra=INT32)]


class ErasureReceipt(ResponseModel):
    """What was erased, and what stays."""

    erased_at: Instant
    erased: Annotated[list[ErasedTable], Field(max_length=50)]
    what_stays: Sentence


class Export(ResponseModel):
    """Everything that is stored about a participant, but for hashes of secrets."""

    format: Annotated[
        str, Field(max_length=32, pattern=r"^footing-export/[0-9]+$", examples=["footing-export/1"])
    ]
    exported_at: Instant
    participant_id: RecordId
    activity_holds: Rows
    clearances: Rows
    decisions: Rows
    symptom_reports: Rows
    sessions: Rows
    consents: Rows
    changes: Rows
    schedules: Rows
    calendar_feeds: Rows
    recovery_codes: Rows
    devices: Rows
    participants: Rows


class LedgerEntry(ResponseModel):
    """A publication that your records entered, or may have."""

    period_kind: PeriodKind
    starts_on: LocalDate
    ends_on: LocalDate
    publication_id: PublicationName
    rho: Annotated[
        PrivacyParameter, Field(description="The most that it can reveal about one participant.")
    ]
    epsilon: PrivacyParameter
    entered: Annotated[
        Entered,
        Field(
            description="`possible`: stored records did not enter it, but ones deleted or decided "
            "again since may have. Treat an unknown value as `possible`."
        ),
    ]


class LedgerSum(ResponseModel):
    """The most that all listed publications together can reveal about one participant."""

    rho: PrivacyParameter
    epsilon: PrivacyParameter
    delta: Delta
    best_guess_percent: Percent


class PrivacyLedger(ResponseModel):
    """The publications that your records entered, and what they can reveal."""

    text: Sentence
    entries: Annotated[
        list[LedgerEntry], Field(max_length=MOST_PERIODS, description="Newest first.")
    ]
    cumulative: LedgerSum


# FHIR's own definition is the schema; this says which resource it is, and what one looks like.
FHIR_BUNDLE = {
    "type": "object",
    "description": "A FHIR R4B Bundle (4.3.0) of the type `collection`; docs/app-teams.md says "
    "which record is which resource.",
    "maxProperties": 20,
    "required": ["resourceType", "type", "timestamp", "entry"],
    "properties": {
        "resourceType": {"type": "string", "const": "Bundle"},
        "type": {"type": "string", "const": "collection"},
        "timestamp": {"type": "string", "format": "date-time", "maxLength": 20},
        "entry": {
            "type": "array",
            "maxItems": LARGEST_INT32,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["fullUrl", "resource"],
                "properties": {
                    "fullUrl": {
                        "type": "string",
                        "format": "uri",
                        "maxLength": 45,
                        "pattern": "^urn:uuid:[0-9a-f-]{36}$",
                    },
                    "resource": {
                        "type": "object",
                        "maxProperties": 50,
                        "description": "A resource of FHIR R4B.",
                    },
                },
            },
        },
    },
    "additionalProperties": False,
}
FHIR_EXAMPLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "timestamp": "2026-11-22T12:00:00Z",
    "entry": [
        {
            "fullUrl": "urn:uuid:c5a5bd4e-0c5f-5f4e-9f3a-2f6f3c1d7b10",
            "resource": {
                "resourceType": "Patient",
                "id": "c5a5bd4e-0c5f-5f4e-9f3a-2f6f3c1d7b10",
                "identifier": [
                    {
                        "system": "urn:ietf:rfc:3986",
                        "value": "urn:uuid:01939d6f-0000-7000-8000-000000000003",
                    }
                ],
            },
        }
    ],
}
