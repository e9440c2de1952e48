"""Lists in pages: `{"items": […], "next_cursor": …}` with an opaque cursor."""

import base64
import binascii
import json
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.core.errors import Fault, InvalidRequest
from api.http.fields import INT32

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
DECIMAL = re.compile(r"-?[0-9]+", re.ASCII)


def _decimal(value: Any) -> Any:
    # Pydantic alone would accept 1_0, +5 and digits of any script.
    if isinstance(value, str) and not DECIMAL.fullmatch(value):
        code, message = "int_parsing", "must be a whole number, in digits alone"
        raise PydanticCustomError(code, message)
    return value


Limit = Annotated[
    Annotated[int, Field(ge=1, le=MAX_LIMIT, json_schema_extra=INT32)],
    BeforeValidator(_decimal),
    Field(description="How many items at most.", examples=[DEFAULT_LIMIT]),
]
Cursor = Annotated[
    str | None,
    Field(
        max_length=512,
        description="`next_cursor` of the page before; opaque.",
        examples=["WyJoZWVsLXJhaXNlcyJd"],
    ),
]
NextCursor = Annotated[
    str | None,
    Field(
        max_length=512,
        description="The start of the next page; null on the last page.",
        examples=[None],
    ),
]


def encode_cursor(*position: str) -> str:
    """Encode the position where the next page starts."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def unreadable_cursor() -> InvalidRequest:
    """Raise the error for an invalid cursor."""
    message = "The cursor is not valid; start again without one."
    return InvalidRequest(message, faults=[Fault("/query/cursor", "invalid_cursor", message)])


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """Decode a position."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise unreadable_cursor() from None
    if (
        not isinstance(position, list)
        or len(position) != parts
        or not all(isinstance(part, str) for part in position)
    ):
        raise unreadable_cursor()
    return position
