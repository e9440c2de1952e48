"""Wire shapes of participants."""

import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from api.content.schemas import ConsentVersion, Name, Sentence, Slug
from api.http.fields import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    Instant,
    LocalDate,
    RecordId,
    RequestModel,
    ResponseModel,
    TimeZoneName,
)
from api.http.pages import NextCursor

CONSENTS_SHOWN = 200
Element = TypeVar("Element", bound=str)
# On every day of the week these are 56 notifications: iOS keeps 64 of an app.
MOST_TIMES = 8


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


def hyphened(tag: str) -> str:
    """Write a language as BCP 47 has it: Java and POSIX put an underscore."""
    return tag.replace("_", "-")


Language = Annotated[
    str,
    Field(
        min_length=2,
        max_length=35,
        pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{1,8})*$",
        description="BCP 47; responses use the nearest available language. An underscore, as "
        "some platforms write it, is read as a hyphen.",
        examples=["es-MX"],
    ),
    AfterValidator(hyphened),
]


class ConsentChoice(RequestModel):
    """What the user agrees to from now on; storage and research separately."""

    version: Annotated[
        str,
        Field(
            max_length=32,
            pattern=r"^[0-9a-z.-]+$",
            description="The version of the texts that were shown; see `GET /v1/consents`.",
            examples=["2026-11-22"],
        ),
    ]
    storage: Annotated[
        bool,
        Field(
            strict=True,
            description="False withdraws it: nothing new is stored; what is stored stays until "
            "it is erased.",
            examples=[True],
        ),
    ]
    research: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether the data may enter anonymised figures; free to say no.",
            examples=[False],
        ),
    ]


def _agreed(value: object) -> object:
    # Pydantic takes 1 as true; a number is no consent.
    return value if value is True else None


class ConsentGiven(ConsentChoice):
    """What the user agreed to. Storage is required."""

    storage: Annotated[
        Literal[True], BeforeValidator(_agreed), Field(description="Required.", examples=[True])
    ]


class ProfileChange(RequestModel):
    """Changes to a profile; fields that are omitted or null keep their values."""

    time_zone: TimeZoneName | None = None
    language: Language | None = None
    age_band: Annotated[AgeBand | None, Field(examples=["age_40_49"])] = None
    region: Annotated[
        Name | None,
        Field(description="One of the operator's regions, or `unknown`.", examples=["unknown"]),
    ] = None
    conditions: Annotated[
        list[Name] | None,
        Field(
            max_length=50,
            description="All of them, none as an empty list; see `conditions` in "
            "`GET /v1/content`.",
            examples=[[]],
        ),
    ] = None


class Enrolment(ProfileChange):
    """An enrolment: no name, no e-mail address, no telephone number."""

    time_zone: TimeZoneName
    language: Language
    consent: ConsentGiven


RecoveryCodeText = Annotated[
    str,
    Field(
        max_length=60,
        pattern=r"^[0-9A-Z*~$=]+(-[0-9A-Z*~$=]+)*$",
        description="Links another device and recovers the data after a loss. Show it to the "
        "user to write down: it cannot be shown again.",
        examples=["8KQ3V-M2XHT-7WJ0R-PCE5N-BY4GD-A9SZ1-F"],
    ),
]


class LinkedDevice(ResponseModel):
    """A device with its token, which is shown only once and stored as a hash: keep it safe."""

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
    """A new participant. Token and code are shown only once and stored as hashes."""

    recovery_code: RecoveryCodeText


class DeviceLink(RequestModel):
    """The recovery code as the user typed it; case, spaces and punctuation are ignored."""

    recovery_code: Annotated[
        str,
        Field(min_length=1, max_length=200, examples=["8KQ3V-M2XHT-7WJ0R-PCE5N-BY4GD-A9SZ1-F"]),
    ]


class NewRecoveryCode(ResponseModel):
    """A new recovery code; the one before has ended."""

    recovery_code: RecoveryCodeText


class DeviceState(ResponseModel):
    """One of your devices."""

    device_id: RecordId
    created_at: Instant
    revoked_at: Instant | None
    current: Annotated[bool, Field(description="Whether it is the one that asks.")]


class DeviceList(ResponseModel):
    """Your devices, oldest first."""

    items: Annotated[list[DeviceState], Field(max_length=200)]
    next_cursor: NextCursor


class ConsentState(ResponseModel):
    """The consent that counts now."""

    version: ConsentVersion
    storage: bool
    research: bool
    given_at: Instant


class ConsentHistory(ResponseModel):
    """What the user agrees to now, and agreed to before."""

    current: ConsentState
    history: Annotated[
        list[ConsentState],
        Field(
            max_length=CONSENTS_SHOWN,
            description="Newest first, including the current one; the export contains all.",
        ),
    ]


class Profile(ResponseModel):
    """The profile of a participant."""

    participant_id: RecordId
    enrolled_at: Instant
    time_zone: TimeZoneName
    language: Language
    age_band: Annotated[AgeBand, Field(description="Treat an unknown value as `unknown`.")]
    region: Name
    conditions: Annotated[list[Name], Field(max_length=50)]
    consent: ConsentState


class Weekday(StrEnum):
    """A day of the week, in the order of ISO 8601."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


def in_our_time(date: datetime.date) -> datetime.date:
    """Refuse the years that no schedule can mean and no calendar can hold."""
    if not EARLIEST_YEAR <= date.year <= LATEST_YEAR:
        message = f"must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}"
        raise ValueError(message)
    return date


def in_order(elements: list[Element]) -> list[Element]:
    """Put days or times in order, without duplicates, so that equal schedules are equal JSON."""
    days = list(Weekday)
    return sorted(set(elements), key=lambda e: (days.index(e) if isinstance(e, Weekday) else 0, e))


ScheduleDate = Annotated[LocalDate, AfterValidator(in_our_time)]
Weekdays = Annotated[
    list[Annotated[Weekday, Field(description="Pass over an unknown value.")]],
    Field(
        min_length=1,
        max_length=7,
        description="The days to exercise on, Monday first.",
        examples=[["mon", "wed", "fri"]],
    ),
    AfterValidator(in_order),
]
ReminderTimes = Annotated[
    list[
        Annotated[
            str,
            Field(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["08:00"]),
        ]
    ],
    Field(
        max_length=MOST_TIMES,
        description="When to remind, on each of the days, in local time of `time_zone`. "
        "Empty: no reminders. A time that is skipped in spring is read as an hour"
        " later; one that occurs twice in autumn, as its first occurrence.",
        examples=[["08:00", "19:30"]],
    ),
    AfterValidator(in_order),
]
PlannedRoutine = Annotated[
    Slug, Field(description="See `GET /v1/routines`.", examples=["daily-15-minutes"])
]
Paused = Annotated[
    bool,
    Field(strict=True, description="True: no reminders, and nothing counts as planned."),
]


class NewSchedule(RequestModel):
    """A complete schedule: routine, weekdays and reminders."""

    routine_id: PlannedRoutine
    weekdays: Weekdays
    times: ReminderTimes
    time_zone: Annotated[
        TimeZoneName, Field(description="IANA time zone; it must be one that the server knows.")
    ]
    starts_on: Annotated[ScheduleDate, Field(description="The first day, by `time_zone`.")]
    ends_on: Annotated[ScheduleDate | None, Field(description="The last day; null: no end.")] = None
    paused: Paused = False


class Schedule(ResponseModel):
    """A schedule, with what a device needs for reminders."""

    routine_id: PlannedRoutine
    weekdays: Weekdays
    times: ReminderTimes
    time_zone: TimeZoneName
    starts_on: LocalDate
    ends_on: LocalDate | None
    paused: Paused
    reminder_title: Annotated[
        Sentence,
        Field(
            description="What to show on a locked screen, where others can read it.",
            examples=["Exercise time"],
        ),
    ]
    changed_at: Instant


class NewCalendarFeed(ResponseModel):
    """The URL of a calendar with the reminders; the previous one no longer works."""

    path: Annotated[
        str,
        Field(
            max_length=100,
            pattern=r"^/v1/calendars/[0-9a-f]{64}\.ics$",
            description="Prepend the server's URL. Anyone who knows it can read the "
            "calendar: it is shown only once and stored as a hash.",
        ),
    ]
    created_at: Instant
