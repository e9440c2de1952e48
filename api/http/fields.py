"""Types of request fields, as strict as the contract.

Pydantic alone would read `true` as 1, a number as a time and a time without an offset as local.
"""

import datetime
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.core.errors import MAX_FAULTS
from api.core.zones import one_spelling

# Also default formats of platforms: with a space, without seconds, without a colon.
INSTANT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<minute>\d{2}:\d{2})(?P<second>:\d{2}([.,]\d{1,9})?)?"
    r"(?:(?P<utc>[Zz])|(?P<hours>[+-]\d{2}):?(?P<minutes>\d{2})?)?",
    re.ASCII,
)
DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
UUID_TEXT = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
EARLIEST_YEAR = 2000
LATEST_YEAR = 2200
# These years in any time zone, in UTC. The same for requests and responses: whatever is stored can
# be read.
EARLIEST = datetime.datetime(EARLIEST_YEAR - 1, 12, 31, tzinfo=datetime.UTC)
LATEST = datetime.datetime(LATEST_YEAR + 1, 1, 2, tzinfo=datetime.UTC)
INT32 = {"format": "int32"}
LARGEST_INT32 = 2**31 - 1


def _allow_null(schema: dict[str, Any]) -> None:
    """Add to the schema that every optional field may also be null."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if name in required or {"type": "null"} in field.get("anyOf", ()):
            continue
        if "$ref" in field:
            field["anyOf"] = [{"$ref": field.pop("$ref")}, {"type": "null"}]
        else:
            field["type"] = [field["type"], "null"]


@dataclass(slots=True)
class Tally:
    """How many faults a validation has found, and at how many it stops."""

    enough: int = MAX_FAULTS
    found: int = 0


_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def counting_faults(enough: int = MAX_FAULTS) -> Iterator[Tally]:
    """Stop collecting faults within this block once `enough` of them are found."""
    tally = Tally(enough)
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


class RequestModel(BaseModel):
    """Base of every request body.

    An unknown field is rejected, never silently dropped. Null for an optional field is the same as
    omitting it, whatever its default: generated clients write every field. Validation stops after
    enough faults: each costs far more time and memory than the byte or two that cause it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra=_allow_null
    )

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        tally = _tally.get()
        if tally is None:
            with counting_faults() as tally:
                return cls._counted(value, handler, tally)
        return cls._counted(value, handler, tally)

    @classmethod
    def _counted(cls, value: Any, handler: ModelWrapValidatorHandler[Self], tally: Tally) -> Self:
        if tally.found >= tally.enough:
            # A fault like any other, so that unvalidated input never counts as valid.
            raise PydanticCustomError("not_checked", "was not checked: enough else is wrong")
        before = tally.found
        if isinstance(value, dict):
            value = cls._without_flood(value, tally.enough)
            if None in value.values():
                value = cls._without_null(value)
        try:
            return handler(value)
        except ValidationError as error:
            tally.found = before + error.error_count()
            raise

    @classmethod
    def _without_null(cls, value: dict[Any, Any]) -> dict[Any, Any]:
        fields = cls.__pydantic_fields__
        optional = {name for name, field in fields.items() if not field.is_required()}
        return {k: v for k, v in value.items() if v is not None or k not in optional}

    @classmethod
    def _without_flood(cls, value: dict[Any, Any], enough: int) -> dict[Any, Any]:
        """Drop unknown fields beyond the limit; the remaining ones are rejected."""
        fields = cls.__pydantic_fields__
        if len(value) <= len(fields) + enough or cls.model_config.get("extra") != "forbid":
            return value
        unknown = islice((name for name in value if name not in fields), enough)
        kept = fields.keys() | set(unknown)
        return {name: given for name, given in value.items() if name in kept}


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
    if not isinstance(value, str) or not (match := INSTANT.fullmatch(value)):
        message = "must be a time such as 2026-11-22T10:00:00Z"
        raise ValueError(message)
    if match["utc"] is None and match["hours"] is None:
        message = "must carry an offset, such as Z or +02:00"
        raise ValueError(message)
    seconds = (match["second"] or ":00")[:3]
    offset = "Z" if match["utc"] else f"{match['hours']}:{match['minutes'] or '00'}"
    return f"{match['date']}T{match['minute']}{seconds}{offset}"


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
        message = "must not contain the character NUL"
        raise ValueError(message)
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = "must not contain a lone surrogate"
        raise ValueError(message)
    return value


# A bound belongs next to its `int`, before this: after a validator JSON Schema cannot express it.
WHOLE = BeforeValidator(_whole)
Instant = Annotated[
    datetime.datetime,
    AfterValidator(_utc),
    BeforeValidator(_instant),
    Field(json_schema_extra={"maxLength": 35}, examples=["2026-11-22T10:00:00Z"]),
]
# The time of the device's clock, even if it is wrong.
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
# For texts that users write: databases and canonical JSON do not accept what it rejects.
STORABLE = AfterValidator(_storable)
TimeZoneName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_+\-:/]+$",
        description="IANA time zone, or an offset such as `+05:30` if the device knows no "
        "name; responses have one spelling for each. An unknown zone is stored as"
        " sent.",
        examples=["Europe/Madrid"],
    ),
    AfterValidator(one_spelling),
]
