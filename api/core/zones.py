"""Time zones: the only place that looks one up."""

import datetime
import zoneinfo

# In the folder of a system's zones, but no place: "whatever this machine is set to", "not set".
NO_ZONES = {"localtime", "Factory"}


def find_zone(text: str) -> datetime.tzinfo | None:
    """Return the clocks of a zone; None where it is not known here."""
    if text in NO_ZONES:
        return None
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
