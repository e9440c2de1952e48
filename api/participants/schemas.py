"""Wire shapes of participants."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from api.content.schemas import ConsentVersion, Name
from api.http.fields import Instant, RecordId, RequestModel, ResponseModel, TimeZoneName


class AgeBand(StrEnum):
    """Decades, as norms and publications have them. Ask for nothing finer."""

    UNDER_18 = "age_under_18"
    AGE_18_29 = "age_18_29"
    AGE_30_39 = "age_30_39"
    AGE_40_49 = "age_40_49"
    AGE_50_59 = "age_50_59"
    AGE_60_69 = "age_60_69"
    AGE_70_79 = "age_70_79"
    AGE_80_PLUS = "age_80_plus"
    UNKNOWN = "unknown"


Language = Annotated[
    str,
    Field(
        min_length=2,
        max_length=35,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$",
        description="BCP 47; answers come in the nearest language there is.",
        examples=["es-MX"],
    ),
]


class ConsentGiven(RequestModel):
    """What the person agreed to: without storage there is nothing to enrol for."""

    version: Annotated[
        str,
        Field(
            max_length=32,
            description="The version of the texts that were shown; see `GET /v1/consents`.",
            examples=["2026-11-22"],
        ),
    ]
    storage: Annotated[Literal[True], Field(description="Required.", examples=[True])]
    research: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether the data may enter anonymised figures; free to say no.",
            examples=[False],
        ),
    ]


class Enrolment(RequestModel):
    """What it takes to enrol: no name, no e-mail address, no telephone number."""

    time_zone: TimeZoneName
    language: Language
    consent: ConsentGiven
    age_band: Annotated[AgeBand, Field(examples=["age_40_49"])] = AgeBand.UNKNOWN
    region: Annotated[
        Name,
        Field(description="One of the operator's regions, or `unknown`.", examples=["unknown"]),
    ] = "unknown"
    conditions: Annotated[
        list[Name],
        Field(max_length=50, description="See `conditions` in `GET /v1/content`.", examples=[[]]),
    ] = []


class Enrolled(ResponseModel):
    """A new participant. The token is shown this once and kept as a hash: store it well."""

    participant_id: RecordId
    device_id: RecordId
    device_token: Annotated[
        str,
        Field(
            max_length=200,
            pattern=r"^fp_[A-Za-z0-9_-]+$",
            description="Send it as `Authorization: Bearer …`.",
        ),
    ]


class ConsentState(ResponseModel):
    """The consent that counts now."""

    version: ConsentVersion
    storage: bool
    research: bool
    given_at: Instant


class Profile(ResponseModel):
    """What is known about a participant."""

    participant_id: RecordId
    enrolled_at: Instant
    time_zone: TimeZoneName
    language: Language
    age_band: Annotated[AgeBand, Field(description="Treat an unknown value as `unknown`.")]
    region: Name
    conditions: Annotated[list[Name], Field(max_length=50)]
    consent: ConsentState
