"""Days and instants as the API writes and groups them. Pure."""

import datetime


def monday_of(day: datetime.date) -> datetime.date:
    """Return the Monday of a day's week."""
    return day - datetime.timedelta(days=day.weekday())


def utc_text(instant: datetime.datetime) -> str:
    """Write an instant in UTC, to the second: `2026-11-27T08:00:00Z`."""
    return instant.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
