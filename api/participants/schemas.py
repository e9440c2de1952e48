"""Wire shapes of participants."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from api.content.schemas import ConsentVersion, Name
from api.http.fields import Instant, RecordId, RequestModel, ResponseModel, TimeZoneName
from api.http.pages import NextCursor


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
            pattern=r"^[0-9a-z.-]+$",
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


RecoveryCodeText = Annotated[
    str,
    Field(
        max_length=60,
        pattern=r"^[0-9A-Z*~$=]+(-[0-9A-Z*~$=]+)*$",
        description="Links a further phone and gets the data back after a loss. Show it to the "
        "person to write down: it can't be shown again.",
        examples=["8KQ3V-M2XHT-7WJ0R-PCE5N-BY4GD-A9SZ1-F"],
    ),
]


class LinkedDevice(ResponseModel):
    """A device with its token, which is shown this once and kept as a hash: store it well."""

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


class Enrolled(LinkedDevice):
    """A new participant. Token and code are shown this once and kept as hashes."""

    recovery_code: RecoveryCodeText


class DeviceLink(RequestModel):
    """The recovery code as the person typed it; case, spaces and hyphens do not matter."""

    recovery_code: Annotated[
        str,
        Field(min_length=1, max_length=100, examples=["8KQ3V-M2XHT-7WJ0R-PCE5N-BY4GD-A9SZ1-F"]),
    ]


class NewRecoveryCode(ResponseModel):
    """A new recovery code; the one before has ended."""

    recovery_code: RecoveryCodeText


class DeviceState(ResponseModel):
    """One of one's own devices."""

    device_id: RecordId
    created_at: Instant
    revoked_at: Instant | None
    current: Annotated[bool, Field(description="Whether it is the one that asks.")]


class DeviceList(ResponseModel):
    """One's own devices, oldest first."""

    items: Annotated[list[DeviceState], Field(max_length=200)]
    next_cursor: NextCursor


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
