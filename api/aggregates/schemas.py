"""Wire shapes of aggregates: figures about many people, each with its uncertainty."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from api.aggregates.estimates import Quantity, Status
from api.content.schemas import Hash, Sentence
from api.http.fields import INT32, Instant, LocalDate, ResponseModel
from api.publications.measures import TableName

Json = dict[str, Any]
DOUBLE = {"format": "double"}
MOST = 1_000_000_000_000
MOST_PERIODS = 10_000


class Unit(StrEnum):
    """What a figure is measured in."""

    PEOPLE = "people"
    SHARE = "share"
    POINTS = "points"
    SESSIONS = "sessions"


UNIT_OF = {
    Quantity.PEOPLE: Unit.PEOPLE,
    Quantity.ADHERENCE: Unit.SHARE,
    Quantity.PAIN_CHANGE: Unit.POINTS,
    Quantity.SESSIONS: Unit.SESSIONS,
    Quantity.RED_FLAGS: Unit.PEOPLE,
    Quantity.PAIN_LEVEL: Unit.POINTS,
}
AnyTable = Annotated[TableName, Field(description="Skip an entry of an unknown value.")]
AnyStat = Annotated[Quantity, Field(description="Skip an entry of an unknown value.")]
AnyUnit = Annotated[
    Unit,
    Field(
        description="`share` is from 0 to 1, `points` are those of the pain scale from 0 to 10, "
        "a change below zero is less pain. Show an unknown value as it is."
    ),
]
AnyStatus = Annotated[
    Status,
    Field(
        description="`suppressed` (too few people) and `not_released` have no number, and are"
        " not zero. Treat an unknown value as `suppressed`."
    ),
]
PeriodStatus = Annotated[
    Literal["released", "not_released"],
    Field(description="Treat an unknown value as `not_released`."),
]
PeriodKind = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="`week`, `cycle` (four weeks) or `quarter` (13 weeks).",
        examples=["week"],
    ),
]
CellKey = Annotated[
    str,
    Field(
        max_length=64,
        description="A routine, an age band, a region, the weeks since joining or a rule; `all` "
        "for a table that is not divided.",
        examples=["daily-15-minutes"],
    ),
]
PublicationName = Annotated[
    str,
    Field(
        max_length=48,
        pattern=r"^[a-z][a-z0-9_]*-[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        examples=["week-2026-11-02"],
    ),
]
PublicationId = Annotated[
    PublicationName | None,
    Field(description="Null until it is published; its figures never change."),
]
Number = Annotated[float | None, Field(ge=-MOST, le=MOST, json_schema_extra=DOUBLE)]
PrivacyParameter = Annotated[
    float,
    Field(
        ge=0,
        le=1000,
        json_schema_extra=DOUBLE,
        description="How much it can reveal about one participant; adds up over publications.",
    ),
]
Delta = Annotated[float, Field(ge=0, le=1, json_schema_extra=DOUBLE)]
Percent = Annotated[
    float,
    Field(
        ge=50,
        le=100,
        json_schema_extra=DOUBLE,
        description="The highest success rate of a guess whether one given person took part, "
        "for an attacker who knows everything about all other people. A coin: 50.",
        examples=[51.9],
    ),
]
MethodUrl = Annotated[
    str,
    Field(
        max_length=500,
        description="Path of the explanation of the method, on this server.",
        json_schema_extra={"format": "uri-reference"},
        examples=["/clinic#method"],
    ),
]


class TitledKey(ResponseModel):
    """A key with its title."""

    key: CellKey
    title: Sentence


class TitledStat(ResponseModel):
    """A figure with its title and its unit."""

    stat: AnyStat
    title: Sentence
    unit: AnyUnit


class TitledStatus(ResponseModel):
    """A status in words."""

    status: AnyStatus
    title: Sentence


class AggregatePeriod(ResponseModel):
    """A period, and whether its figures are published."""

    period_kind: PeriodKind
    starts_on: LocalDate
    ends_on: LocalDate
    status: PeriodStatus
    publication_id: PublicationId
    closed_at: Annotated[
        Instant | None,
        Field(description="When it was due to be closed. Null while it is open."),
    ]


class ListedPeriod(AggregatePeriod):
    """A period with what its publication costs, or will cost."""

    rho: PrivacyParameter
    epsilon: PrivacyParameter


class AggregateTableEntry(ResponseModel):
    """A table that is published for each period of a kind."""

    table: AnyTable
    title: Sentence
    period_kind: PeriodKind
    keys: Annotated[list[TitledKey], Field(max_length=2000)]
    stats: Annotated[list[AnyStat], Field(max_length=20)]


class Guarantee(ResponseModel):
    """The guarantee for every participant, over any 365 days."""

    text: Sentence
    unit: Annotated[
        Literal["participant"],
        Field(description="What it protects. Treat an unknown value as less than a participant."),
    ]
    delta: Delta
    year_ceiling_rho: PrivacyParameter
    year_epsilon: PrivacyParameter
    best_guess_percent: Percent
    plan_hash: Hash


class AggregateIndex(ResponseModel):
    """The available figures, and their privacy guarantee."""

    profile: Annotated[str, Field(max_length=32, pattern=r"^[a-z][a-z0-9_]*$")]
    guarantee: Guarantee
    method_url: MethodUrl
    late_days: Annotated[
        int,
        Field(
            ge=0,
            le=365,
            json_schema_extra=INT32,
            description="Records that arrive more than this long after their day are not counted.",
        ),
    ]
    grace_days: Annotated[
        int,
        Field(
            ge=0,
            le=365,
            json_schema_extra=INT32,
            description="How long after its end a period is closed.",
        ),
    ]
    stats: Annotated[list[TitledStat], Field(max_length=20)]
    statuses: Annotated[list[TitledStatus], Field(max_length=20)]
    tables: Annotated[list[AggregateTableEntry], Field(max_length=100)]
    periods: Annotated[
        list[ListedPeriod], Field(max_length=MOST_PERIODS, description="Newest first.")
    ]


class AggregatePrivacy(ResponseModel):
    """What one publication costs one participant, and the ceiling over any 365 days."""

    rho: PrivacyParameter
    epsilon: PrivacyParameter
    delta: Delta
    unit: Annotated[
        str,
        Field(
            max_length=48,
            pattern=r"^participant-[a-z][a-z0-9_]*$",
            description="What the guarantee protects: one participant, for one period.",
            examples=["participant-week"],
        ),
    ]
    year_ceiling_rho: PrivacyParameter
    best_guess_percent: Percent
    plan_hash: Hash


class AggregateFigure(ResponseModel):
    """A number with its uncertainty, or none at all."""

    status: AnyStatus
    estimate: Annotated[Number, Field(description="Null if the status has no number.")]
    standard_error: Annotated[
        Number, Field(description="Sampling error and privacy error combined.")
    ]
    sampling_error: Annotated[
        Number, Field(description="The error because other people would have had other results.")
    ]
    privacy_error: Annotated[Number, Field(description="The error from the noise.")]
    ci95_low: Annotated[Number, Field(description="The 95 % interval, limited to possible values.")]
    ci95_high: Number


class AggregateCell(AggregateFigure):
    """One figure of one key."""

    key: CellKey
    title: Sentence
    stat: AnyStat
    unit: AnyUnit


class AggregateTable(ResponseModel):
    """A table of one period."""

    table: AnyTable
    title: Sentence
    period: AggregatePeriod
    privacy: AggregatePrivacy
    method_url: MethodUrl
    cells: Annotated[list[AggregateCell], Field(max_length=10_000)]


class AggregatePoint(AggregateFigure):
    """One figure of one period."""

    starts_on: LocalDate
    ends_on: LocalDate
    period_status: PeriodStatus
    publication_id: PublicationId
    closed_at: Annotated[
        Instant | None,
        Field(description="When it was due to be closed. Null while it is open."),
    ]
    rho: PrivacyParameter
    epsilon: PrivacyParameter
    plan_hash: Hash


class AggregateSeries(ResponseModel):
    """One figure of one key, over periods of one kind."""

    table: AnyTable
    title: Sentence
    key: CellKey
    key_title: Sentence
    stat: AnyStat
    stat_title: Sentence
    unit: AnyUnit
    period_kind: PeriodKind
    privacy: Annotated[
        AggregatePrivacy, Field(description="The cost of one publication: that of the last point.")
    ]
    method_url: MethodUrl
    points: Annotated[
        list[AggregatePoint],
        Field(
            max_length=MOST_PERIODS,
            description="Oldest first, including periods without a number.",
        ),
    ]


# The other media types. FHIR's own definition is the schema of its resources.
CSV_SCHEMA: Json = {
    "type": "string",
    "maxLength": 100_000_000,
    "description": "RFC 4180, in UTF-8 with a byte order mark, with a header line. A missing "
    "number is empty, and `status` gives the reason.",
}
CSV_EXAMPLE = (
    "table,period_kind,starts_on,ends_on,publication_id,key,title,stat,unit,status,estimate,"
    "standard_error,sampling_error,privacy_error,ci95_low,ci95_high,rho,epsilon,delta\r\n"
    "routine,week,2026-11-02,2026-11-08,week-2026-11-02,daily-15-minutes,Daily 15 minutes,people,"
    "people,ok,412.2857,20.5714,0.0,20.5714,371.9657,452.6057,0.0045,0.4071,1e-06\r\n"
    "routine,week,2026-11-02,2026-11-08,week-2026-11-02,personalised,Own routines,people,people,"
    "suppressed,,,,,,,0.0045,0.4071,1e-06\r\n"
)
_OPEN: Json = {"type": "object", "maxProperties": 30, "description": "As FHIR defines it."}
_DAY: Json = {"type": "string", "format": "date", "maxLength": 10}
FHIR_REPORT: Json = {
    "type": "object",
    "description": "A FHIR MeasureReport of the type `summary`: R4B (4.3.0), or R5 (5.0.0) if"
    " `fhirVersion=5.0` is accepted. docs/clinicians.md describes the mapping.",
    "required": ["resourceType", "id", "status", "type", "measure", "period", "group"],
    "properties": {
        "resourceType": {"type": "string", "const": "MeasureReport"},
        "id": {"type": "string", "format": "uuid", "maxLength": 36},
        "meta": _OPEN,
        "language": {"type": "string", "pattern": "^[a-z]{2}$", "maxLength": 2},
        "extension": {"type": "array", "maxItems": 10, "items": _OPEN},
        "status": {
            "type": "string",
            "enum": ["complete", "pending", "error"],
            "description": "`complete`: published, `pending`: not closed yet, `error`: lost. "
            "Treat an unknown value as `error`.",
        },
        "type": {"type": "string", "const": "summary"},
        "measure": {"type": "string", "format": "uri", "maxLength": 100},
        "date": {"type": "string", "format": "date-time", "maxLength": 20},
        "period": {
            "type": "object",
            "additionalProperties": False,
            "required": ["start", "end"],
            "properties": {"start": _DAY, "end": _DAY},
        },
        "group": {"type": "array", "maxItems": 20, "items": _OPEN},
    },
    "additionalProperties": False,
}
FHIR_REPORT_EXAMPLE: Json = {
    "resourceType": "MeasureReport",
    "id": "c5a5bd4e-0c5f-5f4e-9f3a-2f6f3c1d7b10",
    "status": "complete",
    "type": "summary",
    "measure": "urn:footing:measure:routine",
    "date": "2026-11-23T02:00:00Z",
    "period": {"start": "2026-11-02", "end": "2026-11-08"},
    "group": [],
}
FHIR_BUNDLE: Json = {
    "type": "object",
    "description": "A FHIR Bundle of the type `collection` with one MeasureReport for each period.",
    "maxProperties": 20,
    "required": ["resourceType", "type", "entry"],
    "properties": {
        "resourceType": {"type": "string", "const": "Bundle"},
        "type": {"type": "string", "const": "collection"},
        "entry": {
            "type": "array",
            "maxItems": MOST_PERIODS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["fullUrl", "resource"],
                "properties": {
                    "fullUrl": {"type": "string", "format": "uri", "maxLength": 45},
                    "resource": FHIR_REPORT,
                },
            },
        },
    },
    "additionalProperties": False,
}
FHIR_BUNDLE_EXAMPLE: Json = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:c5a5bd4e-0c5f-5f4e-9f3a-2f6f3c1d7b10",
            "resource": FHIR_REPORT_EXAMPLE,
        }
    ],
}
