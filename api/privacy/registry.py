"""Every column of every personal table, and whether an export contains it.

A test fails if a table or a column is missing here: nothing personal can be added without deciding
whether the participant gets it. Erasure deletes all of it.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Delete, delete
from sqlmodel import col

from api.core.db import UNSYNCED, PersonalTable
from api.journal.models import (
    ActivityHold,
    Clearance,
    ExerciseSession,
    StoredDecision,
    SymptomReport,
)
from api.participants.models import (
    CalendarFeed,
    ConsentRecord,
    Device,
    Participant,
    RecordedChange,
    RecoveryCodeHash,
    StoredSchedule,
)
from api.triage.engines import as_shown

PersonalModel = PersonalTable | Participant | StoredDecision | CalendarFeed | RecoveryCodeHash


@dataclass(frozen=True)
class Personal:
    """A personal table: its name in an export, and what the export does with each column."""

    name: str
    model: type[PersonalModel]
    exported: tuple[str, ...]
    # Columns that are left out, with the reason.
    withheld: Mapping[str, str]
    # Columns that are converted.
    shown: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def delete(self, participant_id: uuid.UUID) -> Delete:
        """Return the statement that deletes a participant's rows."""
        own = col(self.model.participant_id) == participant_id
        return delete(self.model).where(own).execution_options(**UNSYNCED)


OWNER = "the owner; given once at the top of the export"
HASH_OF_SECRET = "a hash that could only serve to guess the secret behind it"  # noqa: S105  # a reason, not a secret

# In the order in which rows can be deleted: referring tables come first.
REGISTRY: tuple[Personal, ...] = (
    Personal(
        "activity_holds",
        ActivityHold,
        ("decision_id", "rules", "reported_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "clearances",
        Clearance,
        ("id", "content_hash", "received_at", "cleared_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "decisions",
        StoredDecision,
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
        SymptomReport,
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
        ExerciseSession,
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
        ConsentRecord,
        ("number", "version", "storage", "research", "given_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "changes",
        RecordedChange,
        ("number", "kind", "record_id", "deleted", "changed_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "schedules",
        StoredSchedule,
        ("in_force_from", "version", "plan", "changed_at"),
        {"participant_id": OWNER},
    ),
    Personal(
        "calendar_feeds",
        CalendarFeed,
        ("created_at",),
        {"participant_id": OWNER, "token_hash": HASH_OF_SECRET},
    ),
    Personal(
        "recovery_codes",
        RecoveryCodeHash,
        ("created_at", "failed_attempts", "locked_until"),
        {
            "participant_id": OWNER,
            "locator": "a part of the code, which is shown once",
            "secret_hash": HASH_OF_SECRET,
        },
    ),
    Personal(
        "devices",
        Device,
        ("device_id", "created_at", "revoked_at"),
        {
            "participant_id": OWNER,
            "secret_hash": HASH_OF_SECRET,
            "pending_hash": HASH_OF_SECRET,
        },
    ),
    Personal(
        "participants",
        Participant,
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
