"""Lists in pages: `{"items": […], "next_cursor": …}` with an opaque cursor."""

import base64
import binascii
import json
from typing import Annotated

from pydantic import Field

from api.core.errors import Fault, InvalidRequest
from api.http.fields import INT32

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Limit = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_LIMIT,
        description="How many items at most.",
        json_schema_extra=INT32,
        examples=[DEFAULT_LIMIT],
    ),
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
        description="Where the next page starts; null on the last page.",
        examples=[None],
    ),
]


def encode_cursor(*position: str) -> str:
    """Write the place where the next page starts."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def unreadable_cursor() -> InvalidRequest:
    """Refuse a cursor that is not one of ours."""
    message = "The cursor can't be read; start again without one."
    return InvalidRequest(message, faults=[Fault("/query/cursor", "invalid_cursor", message)])


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """Read a place back."""
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
