"""Every table, for migrations and for tests that read them all."""

from api.clinicians import models as clinicians
from api.content import models as content
from api.journal import models as journal
from api.participants import models as participants
from api.publications import models as publications
from api.triage import models as triage

# Tables that hold nothing about a person.
REFERENCE_TABLES = (
    content.ContentRelease,
    content.ContentBody,
    content.ActiveRelease,
    content.KnownActivity,
    triage.WithdrawnRuleSet,
    participants.ErasedToken,
    clinicians.ClinicianKey,
    clinicians.AuditEntry,
    publications.Installation,
    publications.Publication,
    publications.PublicationCell,
)
PERSONAL_TABLES = (
    participants.Participant,
    participants.Device,
    participants.ConsentRecord,
    participants.RecordedChange,
    participants.StoredSchedule,
    participants.CalendarFeed,
    participants.RecoveryCodeHash,
    journal.ExerciseSession,
    journal.SymptomReport,
    journal.StoredDecision,
    journal.ActivityHold,
    journal.Clearance,
)
ALL_TABLES = (*REFERENCE_TABLES, *PERSONAL_TABLES)
