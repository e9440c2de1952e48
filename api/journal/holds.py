"""Holds: activities paused or stopped by a report's rules, until a professional clears them.

Holds affect composed routines and what is displayed; uploads are always accepted. Pure.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.content.vocabulary import ACTIVITY_STATUSES, ActivityStatus


@dataclass(frozen=True, slots=True)
class Hold:
    """The hold of one decision: an activity status for each rule that fired."""

    rules: Mapping[str, ActivityStatus]
    reported_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class StatusInForce:
    """The strictest status that no clearance covers, and the rules it comes from."""

    status: ActivityStatus
    rule_ids: tuple[str, ...]


def asked_for(
    fired: Iterable[Mapping[str, Any]], actions: Iterable[Mapping[str, Any]]
) -> dict[str, ActivityStatus]:
    """Return the activity status of each rule that fired, except `continue`."""
    status_of: dict[str, ActivityStatus] = {
        action["code"]: action["activities"] for action in actions
    }
    return {
        rule["id"]: status_of[rule["action"]]
        for rule in fired
        if status_of[rule["action"]] != "continue"
    }


def in_force(holds: Iterable[Hold], cleared_at: datetime.datetime | None) -> StatusInForce:
    """Return the status in force.

    A clearance covers the rules of every report up to it, and the same rules in later reports
    unless they ask for a stop: every emergency is a new one. Rules that it did not cover apply
    again. A milder or a deleted report never lifts a hold.
    """
    every = list(holds)
    covered = {
        rule
        for hold in every
        if cleared_at is not None and hold.reported_at <= cleared_at
        for rule in hold.rules
    }
    standing = [
        (rule, status)
        for hold in every
        for rule, status in hold.rules.items()
        if rule not in covered
        or (status == "stop" and cleared_at is not None and hold.reported_at > cleared_at)
    ]
    status = max(
        (status for _, status in standing),
        key=ACTIVITY_STATUSES.index,
        default=ACTIVITY_STATUSES[0],
    )
    return StatusInForce(status, tuple(sorted({rule for rule, _ in standing})))
