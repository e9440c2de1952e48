"""Time zones: one spelling for each, and the only module that looks zones up.

A zone is an IANA name, or a fixed offset from devices without IANA names: `+05:30`. Offsets have
many spellings, with the meaning of ISO 8601: `UTC+2` and `GMT+2` are two hours ahead of UTC. Only
`Etc/GMT+2` is an IANA name, and two hours behind.
"""

import datetime
import re
import zoneinfo
from functools import lru_cache

OFFSET = re.compile(
    r"^(?:UTC|GMT|UT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d)(?::?00)?)?$",
    re.ASCII | re.IGNORECASE,
)
# The largest offset of ISO 8601 and mobile platforms; all real ones are well within it.
LONGEST_OFFSET = datetime.timedelta(hours=18)
UTC = "UTC"
# Files in a system's zone folder that are no zone: "as this machine is set", "not set".
NO_ZONES = {"localtime", "Factory"}


@lru_cache(maxsize=1)
def known_names() -> frozenset[str]:
    """Return the known IANA names."""
    return frozenset(zoneinfo.available_timezones() - NO_ZONES)


def _offset(text: str) -> datetime.timedelta | None:
    if text in {"Z", "z"}:
        return datetime.timedelta()
    match = OFFSET.match(text)
    if match is None:
        return None
    offset = datetime.timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    if offset > LONGEST_OFFSET:
        return None
    return -offset if match["sign"] == "-" else offset


def one_spelling(text: str) -> str:
    """Return the canonical spelling of a zone: its IANA name, `+05:30`, or `UTC` for zero.

    An unknown zone is returned unchanged.
    """
    if text in known_names():
        return text
    offset = _offset(text)
    if offset is None:
        return text
    minutes = abs(offset) // datetime.timedelta(minutes=1)
    if minutes == 0:
        return UTC
    sign = "-" if offset < datetime.timedelta() else "+"
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def find_zone(text: str) -> datetime.tzinfo | None:
    """Return a zone in any of its spellings; None if it is unknown."""
    spelled = one_spelling(text)
    if spelled in known_names():
        return zoneinfo.ZoneInfo(spelled)
    offset = _offset(spelled)
    return None if offset is None else datetime.timezone(offset)
