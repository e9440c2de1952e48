"""Keeps sessions, symptom reports and decisions: once each, whatever the line does."""

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.content.service import known_activities
from api.core.clock import Clock
from api.core.db import insert_once
from api.journal import decisions, reading, uploads
from api.journal.errors import IdConflict
from api.journal.history import PastReport
from api.journal.models import CLEARANCES, REPORTS, SESSIONS
from api.journal.schemas import (
    LoggedSession,
    NewClearance,
    NewSession,
    NewSymptomReport,
    StoredClearance,
    StoredSymptomReport,
)
from api.participants.service import lock_participant
from api.triage.evaluation import Case, decide
from api.triage.reports import read_answers
from api.triage.rules import RuleSet
from api.triage.service import RuleSets


def _conflict(record_id: uuid.UUID, stored: str, sent: str) -> IdConflict:
    message = (
        f"{record_id} is stored with other content (stored {stored}, sent {sent}). "
        "Use a new id, and `replaces` to correct a session."
    )
    return IdConflict(message)


async def log_session(
    db: AsyncSession,
    participant_id: uuid.UUID,
    session: NewSession,
    rule_set: RuleSet,
    language: str,
    clock: Clock,
) -> tuple[LoggedSession, bool]:
    """Store a session once; tell whether it was new."""
    now = clock.now()
    known = await known_activities(db, {item.activity_id for item in session.items})
    uploads.refuse(uploads.session_faults(session, known, now))
    content = uploads.content_of(session)
    content_hash = uploads.hash_of(session)
    values = {
        **session.model_dump(exclude={"items"}),
        "items": content["items"],
        "participant_id": participant_id,
        "content_hash": content_hash,
        "received_at": now,
    }
    created = await insert_once(db, SESSIONS, values)
    stored = await reading.find_record(db, SESSIONS, participant_id, session.id)
    if stored.content_hash != content_hash:
        raise _conflict(session.id, stored.content_hash, content_hash)
    return reading.session_of(stored, rule_set, language), created


async def file_report(
    db: AsyncSession,
    participant_id: uuid.UUID,
    report: NewSymptomReport,
    rule_set: RuleSet,
    rule_sets: RuleSets,
    language: str,
    clock: Clock,
) -> tuple[StoredSymptomReport, bool]:
    """Store a symptom report with its decision, once; tell whether it was new.

    A report that arrives late can change what the later ones mean: their decisions are made again.
    """
    now = clock.now()
    answers = read_answers(rule_set, report)
    uploads.refuse(uploads.report_faults(report, now))
    # Two reports of one person at the same moment would otherwise not see each other.
    await lock_participant(db, participant_id)
    past = PastReport(report.id, report.reported_at, report.pain_score)
    facts = (await decisions.episode_before(db, participant_id, past)).facts_of(past)
    case = Case(
        answers,
        language,
        now,
        report_id=report.id,
        reported_at=report.reported_at,
        local_date=report.local_date,
        country=report.country,
        history_facts=facts,
    )
    made = decide(rule_set, case)
    content_hash = uploads.hash_of(report)
    values = {
        **report.model_dump(exclude={"device_decision"}),
        "answers": uploads.content_of(report).get("answers", {}),
        "participant_id": participant_id,
        "content_hash": content_hash,
        "received_at": now,
        "decision_id": uuid.UUID(made[0]["id"]),
        **await _device_says(db, report, case, rule_sets),
    }
    created = await insert_once(db, REPORTS, values)
    if created:
        await decisions.store_decision(db, participant_id, rule_set, case, made)
        await decisions.reconsider_later(db, participant_id, past, rule_set, now)
    stored = await reading.find_record(db, REPORTS, participant_id, report.id)
    if stored.content_hash != content_hash:
        raise _conflict(report.id, stored.content_hash, content_hash)
    return await reading.get_report(db, participant_id, report.id), created


async def _device_says(
    db: AsyncSession, report: NewSymptomReport, case: Case, rule_sets: RuleSets
) -> dict[str, Any]:
    """Compare what the phone showed with what its own rule set says here."""
    shown = report.device_decision
    if shown is None:
        return {"device_level": None, "device_rule_set_hash": None, "device_agrees": None}
    rule_set = await rule_sets.find(db, shown.rule_set_hash)
    agrees = None
    if rule_set is not None:
        agrees = decide(rule_set, case)[0]["level"] == shown.level
    return {
        "device_level": shown.level.value,
        "device_rule_set_hash": shown.rule_set_hash,
        "device_agrees": agrees,
    }


async def clear(
    db: AsyncSession, participant_id: uuid.UUID, clearance: NewClearance, clock: Clock
) -> tuple[StoredClearance, bool]:
    """Store that a professional has said it is fine, once; tell whether it was new."""
    now = clock.now()
    uploads.refuse(uploads.clearance_faults(clearance, now))
    content_hash = uploads.hash_of(clearance)
    values = {
        "participant_id": participant_id,
        "id": clearance.id,
        "content_hash": content_hash,
        "received_at": now,
        "cleared_at": clearance.cleared_at,
    }
    created = await insert_once(db, CLEARANCES, values)
    stored = await reading.find_record(db, CLEARANCES, participant_id, clearance.id)
    if stored.content_hash != content_hash:
        raise _conflict(clearance.id, stored.content_hash, content_hash)
    return StoredClearance(
        id=stored.id,
        content_hash=content_hash,
        received_at=stored.received_at,
        cleared_at=stored.cleared_at,
    ), created
