"""Every column of every personal table, and what becomes of it in an export.

A test fails when a table or a column is missing here: nothing personal can be added without
deciding whether its owner gets to see it. Erasure takes all of it, whatever it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from api.journal.models import CLEARANCES, DECISIONS, HOLDS, REPORTS, SESSIONS
from api.participants.models import (
    CHANGES,
    CONSENTS,
    DEVICES,
    FEEDS,
    PARTICIPANTS,
    RECOVERY,
    SCHEDULES,
)
from api.triage.engines import as_shown


@dataclass(frozen=True)
class Personal:
    """A personal table: its name in an export, and its columns by what becomes of them."""

    name: str
    table: Table
    exported: tuple[str, ...]
    # Column and the reason why it is left out.
    withheld: Mapping[str, str]
    # What is written in a form of its own, by its column.
    shown: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


OWNER = "the owner; it stands once at the top of the export"
HASH_OF_SECRET = "a hash that could only serve to guess the secret behind it"  # noqa: S105  # a reason, not a secret

# In the order in which rows can be deleted: what points to others comes first.
REGISTRY: tuple[Personal, ...] = (
    Personal(
        "activity_holds",
        HOLDS,
        ("decision_id", "rules", "reported_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "clearances",
        CLEARANCES,
        ("id", "content_hash", "received_at", "cleared_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "decisions",
        DECISIONS,
        (
            "id",
            "report_id",
            "rule_set_hash",
            "engine",
            "level",
            "activity_status",
            "evaluated_at",
            "language",
            "supersedes",
            "history_facts",
            "facts",
            "fired",
            "undecided",
            "document",
        ),
        {"participant_id": OWNER},
        {"document": as_shown},
    ),
    Personal(
        "symptom_reports",
        REPORTS,
        (
            "id",
            "content_hash",
            "received_at",
            "reported_at",
            "local_date",
            "sent_local_date",
            "time_zone",
            "pain_score",
            "weeks",
            "trend",
            "age_years",
            "country",
            "answers",
            "note",
            "device_level",
            "device_rule_set_hash",
            "device_agrees",
            "decision_id",
        ),
        {"participant_id": OWNER},
    ),
    Personal(
        "sessions",
        SESSIONS,
        (
            "id",
            "content_hash",
            "received_at",
            "replaces",
            "routine_id",
            "started_at",
            "ended_at",
            "local_date",
            "sent_local_date",
            "time_zone",
            "status",
            "items",
            "pain_before",
            "pain_after",
            "effort",
            "note",
        ),
        {"participant_id": OWNER, "original": "worked out from `replaces` of all of them"},
    ),
    Personal(
        "consents",
        CONSENTS,
        ("number", "version", "storage", "research", "given_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "changes",
        CHANGES,
        ("number", "kind", "record_id", "deleted", "changed_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "schedules",
        SCHEDULES,
        ("in_force_from", "version", "plan", "changed_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "calendar_feeds",
        FEEDS,
        ("created_at",),
        {"participant_id": OWNER, "token_hash": HASH_OF_SECRET},
    ),
    Personal(
        "recovery_codes",
        RECOVERY,
        ("created_at", "failed_attempts", "locked_until"),
        {
            "participant_id": OWNER,
            "locator": "a part of the code, which is shown once",
            "secret_hash": HASH_OF_SECRET,
        },
    ),
    Personal(
        "devices",
        DEVICES,
        ("device_id", "created_at", "revoked_at"),
        {
            "participant_id": OWNER,
            "secret_hash": HASH_OF_SECRET,
            "pending_hash": HASH_OF_SECRET,
        },
    ),
    Personal(
        "participants",
        PARTICIPANTS,
        (
            "enrolled_at",
            "time_zone",
            "language",
            "age_band",
            "region",
            "conditions",
            "last_change",
            "used",
            "storage_consent",
        ),
        {"participant_id": OWNER},
    ),
)
