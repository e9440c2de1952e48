"""Stored decisions: made with the history, made again if a late report changes it, replayed."""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Uuid, and_, bindparam, delete, exists, literal, tuple_, update
from sqlalchemy.orm import load_only
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from api.core.canonical import canonical
from api.core.db import UNSYNCED, NewRow, UtcDateTime, insert_once
from api.core.direct import Direct
from api.core.errors import NotFound
from api.http.fields import EARLIEST
from api.journal.history import Episode, PastReport, Timeline
from api.journal.holds import Hold, StatusInForce, asked_for, in_force
from api.journal.models import ActivityHold, Clearance, StoredDecision, SymptomReport
from api.journal.writing import Writing
from api.participants.changes import ChangedKind
from api.triage.engines import decide_as_then
from api.triage.evaluation import Case, Decided, Json, decide
from api.triage.reports import FIELDS
from api.triage.rules import RuleSet
from api.triage.service import RuleSets

REPORTED_AT, ID = col(SymptomReport.reported_at), col(SymptomReport.id)
# Compared as a row, so that the index finds the position: an OR would read all rows before it.
POSITION = tuple_(REPORTED_AT, ID)
NEWEST_FIRST = (REPORTED_AT.desc(), ID.desc())
# Joins a report to the decision that is current for it.
IS_CURRENT = and_(
    col(StoredDecision.participant_id) == col(SymptomReport.participant_id),
    col(StoredDecision.id) == col(SymptomReport.decision_id),
)
# The columns of a decision that are needed to decide again; its document is some ten kilobytes.
SHORT = load_only(
    StoredDecision.language,  # type: ignore[arg-type]  # SQLModel types attributes as values
    StoredDecision.history_facts,  # type: ignore[arg-type]
    StoredDecision.level,  # type: ignore[arg-type]
    StoredDecision.rule_set_hash,  # type: ignore[arg-type]
)


def position(at: datetime.datetime, record_id: uuid.UUID) -> ColumnElement[Any]:
    """Return a position in a list of records, to be compared with the columns that order it."""
    return tuple_(literal(at, UtcDateTime), literal(record_id, Uuid))


def past_report(report: SymptomReport) -> PastReport:
    """Project a report to the fields that later reports depend on."""
    return PastReport(report.id, report.reported_at, report.pain_score)


def _bound(at: str, record_id: str) -> ColumnElement[Any]:
    return tuple_(bindparam(at, type_=UtcDateTime), bindparam(record_id, type_=Uuid))


_OWN = col(SymptomReport.participant_id) == bindparam("owner")
_PAIN_SCORE = col(SymptomReport.pain_score)
_BEFORE = _bound("at", "id") > POSITION
# Of an episode, in the order of time.
_IN_EPISODE = (_OWN, _BEFORE, _bound("free_at", "free_id") < POSITION)
_OLDEST = (REPORTED_AT, ID)
NEWEST_PAIN_FREE = Direct(
    select(REPORTED_AT, ID).where(_OWN, _BEFORE, _PAIN_SCORE == 0).order_by(*NEWEST_FIRST).limit(1)
)
EPISODE = Direct(
    select(
        select(REPORTED_AT).where(*_IN_EPISODE).order_by(*_OLDEST).limit(1).scalar_subquery(),
        select(_PAIN_SCORE)
        .where(*_IN_EPISODE, _PAIN_SCORE.is_not(None))
        .order_by(*_OLDEST)
        .limit(1)
        .scalar_subquery(),
        exists().where(_OWN, _bound("at", "id") < POSITION),
    )
)
# Before every report.
BEGINNING = (EARLIEST, uuid.UUID(int=0))


async def episode_before(
    db: AsyncSession, participant_id: uuid.UUID, report: PastReport
) -> tuple[Episode, bool]:
    """Return the episode that a report belongs to, and whether there are later reports.

    Four index look-ups, however many reports there are: the newest pain-free report before it, the
    first report after that one, the first of those with a pain score, and any later report.
    """
    place = {"owner": participant_id, "at": report.reported_at, "id": report.id}
    found = await NEWEST_PAIN_FREE.rows(db, place)
    free_at, free_id = found[0] if found else BEGINNING
    ((began, first_score, has_later),) = await EPISODE.rows(
        db, {**place, "free_at": free_at, "free_id": free_id}
    )
    return Episode(began, first_score), has_later


def _past_reports(participant_id: uuid.UUID) -> Select[uuid.UUID, datetime.datetime, int | None]:
    """Select of a participant's reports the fields that later reports depend on."""
    return select(ID, REPORTED_AT, col(SymptomReport.pain_score)).where(
        SymptomReport.participant_id == participant_id
    )


async def read_timeline(db: AsyncSession, participant_id: uuid.UUID) -> Timeline:
    """Read of all reports what later reports depend on."""
    return Timeline(PastReport(*row) for row in await db.exec(_past_reports(participant_id)))


def case_of(
    report: SymptomReport, language: str, now: datetime.datetime, facts: Sequence[str]
) -> Case:
    """Return the case of a stored report, with the given history facts."""
    return Case(
        {**{name: getattr(report, name) for name in FIELDS}, **report.answers},
        language,
        now,
        report_id=report.id,
        reported_at=report.reported_at,
        local_date=report.local_date,
        country=report.country,
        history_facts=tuple(facts),
    )


def decision_rows(
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    case: Case,
    decided: Decided,
    supersedes: uuid.UUID | None = None,
) -> tuple[Json, Json | None]:
    """Return the row of a decision, and the row of its hold if it has one."""
    document, outcome = decided
    decision = {
        "participant_id": participant_id,
        "id": uuid.UUID(document["id"]),
        "report_id": case.report_id,
        "rule_set_hash": rule_set.hash,
        "engine": rule_set.engine,
        "level": document["level"],
        "activity_status": document["activities"]["status"],
        "evaluated_at": case.evaluated_at,
        "language": case.language,
        "supersedes": supersedes,
        "history_facts": list(case.history_facts),
        "facts": {"certain": outcome.facts.certain, "possible": outcome.facts.possible},
        "fired": [rule["id"] for rule in outcome.fired],
        "undecided": [rule["id"] for rule in outcome.undecided],
        "document": document,
    }
    rules = asked_for((*outcome.fired, *outcome.broken), rule_set.document["actions"])
    if not rules:
        return decision, None
    hold = {
        "participant_id": participant_id,
        "decision_id": decision["id"],
        "rules": rules,
        "reported_at": case.reported_at,
    }
    return decision, hold


def rows_of(
    participant_id: uuid.UUID, rule_set: RuleSet, case: Case, decided: Decided
) -> list[NewRow]:
    """Return the rows of the first decision on a report."""
    decision, hold = decision_rows(participant_id, rule_set, case, decided)
    rows: list[NewRow] = [(StoredDecision, decision)]
    return rows if hold is None else [*rows, (ActivityHold, hold)]


async def store_decision(
    db: AsyncSession,
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    case: Case,
    decided: Decided,
    supersedes: uuid.UUID | None = None,
) -> None:
    """Store a decision and its hold."""
    decision, hold = decision_rows(participant_id, rule_set, case, decided, supersedes)
    # An earlier decision can become current again, and its hold with it.
    await insert_once(db, StoredDecision, decision)
    if hold is not None:
        await insert_once(db, ActivityHold, hold)


def with_current_decision(
    *conditions: ColumnElement[bool],
) -> Select[SymptomReport, StoredDecision]:
    """Select reports with the columns of their current decision that are needed to decide again."""
    return (
        select(SymptomReport, StoredDecision)
        .join(StoredDecision, IS_CURRENT)
        .where(*conditions)
        .options(SHORT)
        # The current decision may have changed in this transaction.
        .execution_options(populate_existing=True)
    )


async def decide_again(
    db: AsyncSession,
    report: SymptomReport,
    language: str,
    facts: Sequence[str],
    rule_set: RuleSet,
    now: datetime.datetime,
) -> None:
    """Replace the current decision on a report by a new one that is linked to it."""
    case = case_of(report, rule_set.language_for(language), now, facts)
    decided = decide(rule_set, case)
    await store_decision(
        db, report.participant_id, rule_set, case, decided, supersedes=report.decision_id
    )
    await db.exec(
        update(SymptomReport)
        .where(
            col(SymptomReport.participant_id) == report.participant_id,
            col(SymptomReport.id) == report.id,
        )
        .values(decision_id=uuid.UUID(decided.document["id"])),
        execution_options=UNSYNCED,
    )


async def reconsider_later(
    writing: Writing, changed: PastReport, *, until: PastReport, deleted: bool = False
) -> None:
    """Decide again on reports after a new or deleted one, if their history changed.

    Up to the next pain-free report after `until`, the last of the new reports: reports after that
    belong to an episode of their own, as before.
    """
    db, participant_id = writing.db, writing.participant_id
    later = with_current_decision(
        col(SymptomReport.participant_id) == participant_id,
        position(changed.reported_at, changed.id) < POSITION,
    ).order_by(REPORTED_AT, ID)
    if (await db.exec(later.limit(1))).first() is None:
        return
    episode, _ = await episode_before(db, participant_id, changed)
    if not deleted:
        episode = episode.after(changed)
    for report, decision in (await db.exec(later)).all():
        past = past_report(report)
        facts = episode.facts_of(past)
        if tuple(decision.history_facts) != facts:
            if not deleted and decision.rule_set_hash == writing.rule_set.hash:
                # If the late report had come in time, this hold would not exist. Holds of an older
                # rule set stay, whatever the rule set in force would decide.
                await db.exec(
                    delete(ActivityHold).where(
                        col(ActivityHold.participant_id) == participant_id,
                        col(ActivityHold.decision_id) == report.decision_id,
                    ),
                    execution_options=UNSYNCED,
                )
            await decide_again(db, report, decision.language, facts, writing.rule_set, writing.now)
            writing.changed(ChangedKind.SYMPTOM_REPORT, report.id)
        if past.pain_score == 0 and _precedes(until, past):
            return
        episode = episode.after(past)


def _precedes(report: PastReport, other: PastReport) -> bool:
    return (report.reported_at, report.id) < (other.reported_at, other.id)


def _gone() -> NotFound:
    return NotFound("The report of this decision was deleted during the request.")


async def find_decision(
    db: AsyncSession, participant_id: uuid.UUID, decision_id: uuid.UUID
) -> StoredDecision:
    """Return one of the participant's decisions."""
    statement = select(StoredDecision).where(
        StoredDecision.participant_id == participant_id, StoredDecision.id == decision_id
    )
    decision = (await db.exec(statement)).first()
    if decision is None:
        raise NotFound("Unknown decision.")
    return decision


async def current_decision_of(
    db: AsyncSession, participant_id: uuid.UUID, report_id: uuid.UUID
) -> uuid.UUID:
    """Return the id of the current decision on a report."""
    statement = select(SymptomReport.decision_id).where(
        SymptomReport.participant_id == participant_id, SymptomReport.id == report_id
    )
    current = (await db.exec(statement)).one_or_none()
    if current is None:
        raise _gone()
    return current


async def replay(
    db: AsyncSession, participant_id: uuid.UUID, decision_id: uuid.UUID, rule_sets: RuleSets
) -> tuple[StoredDecision, list[str]]:
    """Compute a decision again with its own engine; return it, and the names that differ."""
    stored = await find_decision(db, participant_id, decision_id)
    statement = select(SymptomReport).where(
        SymptomReport.participant_id == participant_id, SymptomReport.id == stored.report_id
    )
    report = (await db.exec(statement)).first()
    if report is None:
        raise _gone()
    rule_set = await rule_sets.find(db, stored.rule_set_hash)
    if rule_set is None:
        raise NotFound("The rule set of this decision is not stored here.")
    case = case_of(report, stored.language, stored.evaluated_at, stored.history_facts)
    again, outcome = decide_as_then(rule_set, case)
    facts = {"certain": outcome.facts.certain, "possible": outcome.facts.possible}
    differing = [
        name
        for name in sorted({*again, *stored.document})
        if canonical(again.get(name)) != canonical(stored.document.get(name))
    ]
    if canonical(facts) != canonical(stored.facts):
        differing.append("facts")
    return stored, differing


async def activities_in_force(db: AsyncSession, participant_id: uuid.UUID) -> StatusInForce:
    """Return the activity status in force for a participant."""
    holds = await db.exec(
        select(ActivityHold.rules, ActivityHold.reported_at).where(
            ActivityHold.participant_id == participant_id
        )
    )
    newest = (
        select(Clearance.cleared_at)
        .where(Clearance.participant_id == participant_id)
        .order_by(col(Clearance.cleared_at).desc())
        .limit(1)
    )
    cleared_at = (await db.exec(newest)).one_or_none()
    return in_force((Hold(rules, reported_at) for rules, reported_at in holds), cleared_at)
