"""Types of request fields, as strict as the contract.

Pydantic alone would read `true` as 1, a number as a time and a time without an offset as local.
"""

import datetime
import re
import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

INSTANT = re.compile(
    r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})?$", re.ASCII
)
DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
UUID_TEXT = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
EARLIEST_YEAR = 2000
LATEST_YEAR = 2200
# These years as they are by any clock on Earth, in UTC. The same for requests and for answers:
# whatever is stored can be read.
EARLIEST = datetime.datetime(EARLIEST_YEAR - 1, 12, 31, tzinfo=datetime.UTC)
LATEST = datetime.datetime(LATEST_YEAR + 1, 1, 2, tzinfo=datetime.UTC)
FRACTION = re.compile(r"\.\d+")
INT32 = {"format": "int32"}
LARGEST_INT32 = 2**31 - 1


class RequestModel(BaseModel):
    """Base of every request body: an unknown field is refused, never dropped in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ResponseModel(BaseModel):
    """Base of every response body: every field is always present."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"additionalProperties": False})


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        message = "must be a whole number"
        raise ValueError(message)  # noqa: TRY004  # pydantic reports ValueError alone
    return value


def _instant(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value
    if not isinstance(value, str) or not (match := INSTANT.match(value)):
        message = "must be a time such as 2026-11-22T10:00:00Z"
        raise ValueError(message)
    if match[2] is None:
        message = "must carry an offset, such as Z or +02:00"
        raise ValueError(message)
    return FRACTION.sub("", value)


def _utc(value: datetime.datetime) -> datetime.datetime:
    if not EARLIEST <= value < LATEST:
        message = f"must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}"
        raise ValueError(message)
    return value.astimezone(datetime.UTC).replace(microsecond=0)


def _date(value: Any) -> Any:
    if isinstance(value, datetime.date):
        return value
    if not isinstance(value, str) or not DATE.match(value):
        message = "must be a date such as 2026-11-22"
        raise ValueError(message)
    return value


def _uuid(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value
    if not isinstance(value, str) or not UUID_TEXT.match(value):
        message = "must be a UUID such as 01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"
        raise ValueError(message)
    return value


def _storable(value: str) -> str:
    if "\x00" in value:
        message = "must not hold the character NUL"
        raise ValueError(message)
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = "must not hold half of a surrogate pair"
        raise ValueError(message)
    return value


# A bound stands next to its `int`, before this: around a validator JSON Schema can't say it.
WHOLE = BeforeValidator(_whole)
Instant = Annotated[
    datetime.datetime,
    AfterValidator(_utc),
    BeforeValidator(_instant),
    Field(json_schema_extra={"maxLength": 35}, examples=["2026-11-22T10:00:00Z"]),
]
# What a phone's clock says, however wrong it is.
DeviceInstant = Annotated[
    datetime.datetime,
    BeforeValidator(_instant),
    Field(json_schema_extra={"maxLength": 35}, examples=["2026-11-22T10:00:00Z"]),
]
LocalDate = Annotated[
    datetime.date,
    BeforeValidator(_date),
    Field(json_schema_extra={"maxLength": 10}, examples=["2026-11-22"]),
]
RecordId = Annotated[
    uuid.UUID,
    BeforeValidator(_uuid),
    Field(
        json_schema_extra={"maxLength": 36, "minLength": 36},
        examples=["01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"],
    ),
]
# Beside any text that people write: neither database nor canonical JSON takes what it refuses.
STORABLE = AfterValidator(_storable)
TimeZoneName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_+\-/]+$",
        description="IANA time zone; a name the server does not know is stored as it is.",
        examples=["Europe/Madrid"],
    ),
]
