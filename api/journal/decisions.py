"""Stored decisions: made with the history, made again when a late report changes it, replayed."""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, delete, literal, select, tuple_, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.canonical import canonical
from api.core.db import insert_once
from api.core.errors import NotFound
from api.journal.history import Episode, PastReport, Timeline
from api.journal.holds import Hold, InForce, asked_for, in_force
from api.journal.models import CLEARANCES, DECISIONS, HOLDS, REPORTS
from api.journal.writing import Writing
from api.participants.changes import ChangedKind
from api.triage.engines import decide_as_then
from api.triage.evaluation import Case, Json, Outcome, decide
from api.triage.reports import FIELDS
from api.triage.rules import RuleSet
from api.triage.service import RuleSets

Row = Any


# Compared as one, so that the index leads to the place: an OR would read all that is before it.
PLACE = tuple_(REPORTS.c.reported_at, REPORTS.c.id)


def _place(at: datetime.datetime, report_id: uuid.UUID) -> Any:
    return tuple_(literal(at, REPORTS.c.reported_at.type), literal(report_id, REPORTS.c.id.type))


def past_report(row: Row) -> PastReport:
    """Take of a report what counts for those after it."""
    return PastReport(row.id, row.reported_at, row.pain_score)


async def episode_before(
    db: AsyncSession, participant_id: uuid.UUID, report: PastReport
) -> Episode:
    """Return the episode that a report stands in.

    Two look-ups by index, however many reports there are: the first of the episode, and the first
    of it that has a pain score.
    """
    earlier = (
        select(REPORTS.c.id, REPORTS.c.reported_at, REPORTS.c.pain_score)
        .where(REPORTS.c.participant_id == participant_id)
        .where(_place(report.reported_at, report.id) > PLACE)
    )
    newest = (REPORTS.c.reported_at.desc(), REPORTS.c.id.desc())
    oldest = (REPORTS.c.reported_at, REPORTS.c.id)
    pain_free = earlier.where(REPORTS.c.pain_score == 0).order_by(*newest).limit(1)
    last = (await db.execute(pain_free)).first()
    if last is not None:
        earlier = earlier.where(_place(last.reported_at, last.id) < PLACE)
    first = (await db.execute(earlier.order_by(*oldest).limit(1))).first()
    scored = earlier.where(REPORTS.c.pain_score.is_not(None)).order_by(*oldest).limit(1)
    first_scored = (await db.execute(scored)).first()
    return Episode(
        first.reported_at if first is not None else None,
        first_scored.pain_score if first_scored is not None else None,
    )


async def read_timeline(db: AsyncSession, participant_id: uuid.UUID) -> Timeline:
    """Read what counts of all reports at once."""
    statement = select(REPORTS.c.id, REPORTS.c.reported_at, REPORTS.c.pain_score).where(
        REPORTS.c.participant_id == participant_id
    )
    return Timeline(past_report(row) for row in await db.execute(statement))


def case_of(row: Row, language: str, now: datetime.datetime, facts: Sequence[str]) -> Case:
    """Make the case of a stored report."""
    return Case(
        {**{name: getattr(row, name) for name in FIELDS}, **row.answers},
        language,
        now,
        report_id=row.id,
        reported_at=row.reported_at,
        local_date=row.local_date,
        country=row.country,
        history_facts=tuple(facts),
    )


def decision_rows(
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    case: Case,
    made: tuple[Json, Outcome],
    supersedes: uuid.UUID | None = None,
) -> tuple[Json, Json | None]:
    """Make the row of a decision, and that of the hold if it asks for one."""
    document, outcome = made
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


async def store_decision(
    db: AsyncSession,
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    case: Case,
    made: tuple[Json, Outcome],
    supersedes: uuid.UUID | None = None,
) -> None:
    """Store a decision and what it asks of the activities."""
    decision, hold = decision_rows(participant_id, rule_set, case, made, supersedes)
    # A decision that counted before can come back; its hold then does too.
    await insert_once(db, DECISIONS, decision)
    if hold is not None:
        await insert_once(db, HOLDS, hold)


def reports_joined(*columns: Any) -> Select[Any]:
    """Select reports beside columns of the decision that counts now for each."""
    current = and_(
        DECISIONS.c.participant_id == REPORTS.c.participant_id,
        DECISIONS.c.id == REPORTS.c.decision_id,
    )
    return select(REPORTS, *columns).join(DECISIONS, current)


# What it takes to decide on a stored report again.
DECIDED = (
    DECISIONS.c.language,
    DECISIONS.c.history_facts,
    DECISIONS.c.level,
    DECISIONS.c.rule_set_hash,
)


async def decide_again(
    db: AsyncSession, row: Row, facts: Sequence[str], rule_set: RuleSet, now: datetime.datetime
) -> Json:
    """Put a new decision in the place of a report's current one, linked to it; return it."""
    case = case_of(row, rule_set.language_for(row.language), now, facts)
    made = decide(rule_set, case)
    await store_decision(db, row.participant_id, rule_set, case, made, supersedes=row.decision_id)
    await db.execute(
        update(REPORTS)
        .where(REPORTS.c.participant_id == row.participant_id, REPORTS.c.id == row.id)
        .values(decision_id=uuid.UUID(made[0]["id"]))
    )
    return made[0]


async def reconsider_later(
    writing: Writing, changed: PastReport, *, until: PastReport, deleted: bool = False
) -> None:
    """Decide again on the reports behind a new or a deleted one, where their history changed.

    Up to the next pain-free report behind `until`, the last that is new: what comes after it
    stands in an episode of its own, as it did before.
    """
    db, participant_id = writing.db, writing.participant_id
    later = (
        reports_joined(*DECIDED)
        .where(REPORTS.c.participant_id == participant_id)
        .where(_place(changed.reported_at, changed.id) < PLACE)
        .order_by(REPORTS.c.reported_at, REPORTS.c.id)
    )
    if (await db.execute(later.limit(1))).first() is None:
        return
    episode = await episode_before(db, participant_id, changed)
    if not deleted:
        episode = episode.after(changed)
    for row in (await db.execute(later)).all():
        past = past_report(row)
        facts = episode.facts_of(past)
        if tuple(row.history_facts) != facts:
            if not deleted and row.rule_set_hash == writing.rule_set.hash:
                # Had the late report come in time, nobody would have asked for this hold. What an
                # older rule set asked for stays, whatever the one of today would say.
                await db.execute(
                    delete(HOLDS).where(
                        HOLDS.c.participant_id == participant_id,
                        HOLDS.c.decision_id == row.decision_id,
                    )
                )
            await decide_again(db, row, facts, writing.rule_set, writing.now)
            writing.created(ChangedKind.SYMPTOM_REPORT, row.id)
        if past.pain_score == 0 and _precedes(until, past):
            return
        episode = episode.after(past)


def _precedes(report: PastReport, other: PastReport) -> bool:
    return (report.reported_at, report.id) < (other.reported_at, other.id)


def _gone() -> NotFound:
    """Say that a report was deleted while it was being read."""
    return NotFound("The report of this decision was deleted a moment ago.")


async def find_decision(db: AsyncSession, participant_id: uuid.UUID, decision_id: uuid.UUID) -> Row:
    """Return one of one's own decisions."""
    statement = select(DECISIONS).where(
        DECISIONS.c.participant_id == participant_id, DECISIONS.c.id == decision_id
    )
    row = (await db.execute(statement)).first()
    if row is None:
        raise NotFound("You have no such decision.")
    return row


async def current_decision_of(
    db: AsyncSession, participant_id: uuid.UUID, report_id: uuid.UUID
) -> uuid.UUID:
    """Name the decision that counts now for a report."""
    statement = select(REPORTS.c.decision_id).where(
        REPORTS.c.participant_id == participant_id, REPORTS.c.id == report_id
    )
    current = (await db.execute(statement)).scalar_one_or_none()
    if current is None:
        raise _gone()
    return uuid.UUID(str(current))


async def replay(
    db: AsyncSession, participant_id: uuid.UUID, decision_id: uuid.UUID, rule_sets: RuleSets
) -> tuple[Row, list[str]]:
    """Compute a decision again from what is stored, as its engine did; name what differs."""
    stored = await find_decision(db, participant_id, decision_id)
    report = select(REPORTS).where(
        REPORTS.c.participant_id == participant_id, REPORTS.c.id == stored.report_id
    )
    row = (await db.execute(report)).first()
    if row is None:
        raise _gone()
    rule_set = await rule_sets.find(db, stored.rule_set_hash)
    if rule_set is None:
        raise NotFound("The rule set of this decision is not stored here.")
    case = case_of(row, stored.language, stored.evaluated_at, stored.history_facts)
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


async def activities_in_force(db: AsyncSession, participant_id: uuid.UUID) -> InForce:
    """Tell whether a participant's activities may go on."""
    holds = await db.execute(
        select(HOLDS.c.rules, HOLDS.c.reported_at).where(HOLDS.c.participant_id == participant_id)
    )
    newest = (
        select(CLEARANCES.c.cleared_at)
        .where(CLEARANCES.c.participant_id == participant_id)
        .order_by(CLEARANCES.c.cleared_at.desc())
        .limit(1)
    )
    cleared_at = (await db.execute(newest)).scalar_one_or_none()
    return in_force((Hold(row.rules, row.reported_at) for row in holds), cleared_at)
