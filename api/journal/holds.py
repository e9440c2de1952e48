"""Pauses and stops: what a report's rules do to the activities, until a professional clears it.

Holds act on plans and on what is shown; uploads are always accepted. Pure.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.content.plans import Hold as Status

STRICTEST: Sequence[Status] = ("continue", "caution", "pause", "stop")


@dataclass(frozen=True, slots=True)
class Hold:
    """What one decision asked for: an activity status for each rule that fired."""

    rules: Mapping[str, Status]
    reported_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class InForce:
    """The strictest status that no clearance covers, and the rules behind it."""

    status: Status
    rule_ids: tuple[str, ...]


def asked_for(
    fired: Iterable[Mapping[str, Any]], actions: Iterable[Mapping[str, Any]]
) -> dict[str, Status]:
    """Return what the rules that fired ask of the activities, where it is more than to go on."""
    status_of: dict[str, Status] = {action["code"]: action["activities"] for action in actions}
    return {
        rule["id"]: status_of[rule["action"]]
        for rule in fired
        if status_of[rule["action"]] != "continue"
    }


def in_force(holds: Iterable[Hold], cleared_at: datetime.datetime | None) -> InForce:
    """Tell what holds now.

    A clearance covers the rules of every report up to it, and the same rules in later reports,
    unless they ask for a stop: an emergency is one each time. A rule that it did not cover holds
    again. A milder or a deleted report never lifts anything.
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
    status = max((status for _, status in standing), key=STRICTEST.index, default=STRICTEST[0])
    return InForce(status, tuple(sorted({rule for rule, _ in standing})))
