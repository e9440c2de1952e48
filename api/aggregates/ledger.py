"""Which publications a participant's records have entered, by the rules of the publications.

Computed from the participant's own rows on request and never stored: a list of who is in which
publication would itself need protection.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Uuid, and_, exists, false, literal, or_, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.journal.models import ExerciseSession, StoredDecision, SymptomReport
from api.participants.changes import ChangedKind
from api.participants.models import RecordedChange
from api.publications.cube import agreed, belongs, session_counts
from api.publications.measures import FROM_REPORTS
from api.publications.periods import Period
from api.publications.policy import PublicationPolicies, PublicationPolicy
from api.publications.reading import Published, published

COUNTED_KINDS = (ChangedKind.SESSION, ChangedKind.SYMPTOM_REPORT)
# Conditions in one statement; databases accept a few hundred columns.
PAGE = 100


class Entered(StrEnum):
    """Whether records of the participant are in a publication."""

    YES = "yes"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class EnteredPublication:
    """A publication that records of the participant have entered, or may have."""

    publication: Published
    entered: Entered


def _red_flag(
    period: Period, policy: PublicationPolicy, own: uuid.UUID, *, now: bool
) -> ColumnElement[bool]:
    """Return the condition that a report of a period had a red flag: currently, or ever."""
    if not FROM_REPORTS & {table.table for table in policy.period(period.kind).tables}:
        return false()
    return exists().where(
        col(SymptomReport.participant_id) == own,
        belongs(SymptomReport, period, policy),
        col(StoredDecision.participant_id) == own,
        col(StoredDecision.report_id) == col(SymptomReport.id),
        col(StoredDecision.level).in_(policy.red_flag_levels),
        *((col(StoredDecision.id) == col(SymptomReport.decision_id),) if now else ()),
    )


def _questions(
    publication: Published, policy: PublicationPolicy, own: uuid.UUID
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that stored records entered it, and that deleted ones may have."""
    days = (publication.ends_on - publication.starts_on).days + 1
    period = Period(publication.starts_on, days, publication.kind)
    closed: datetime.datetime = publication.closed_at
    consented = agreed(literal(own, Uuid), closed)
    session = exists().where(
        col(ExerciseSession.participant_id) == own, session_counts(period, policy)
    )
    # Records deleted since then may have counted; that is no longer known.
    deleted = exists().where(
        col(RecordedChange.participant_id) == own,
        col(RecordedChange.deleted),
        col(RecordedChange.kind).in_(COUNTED_KINDS),
        col(RecordedChange.changed_at) >= closed,
    )
    stored = or_(session, _red_flag(period, policy, own, now=True))
    gone = or_(deleted, _red_flag(period, policy, own, now=False))
    return and_(consented, stored), and_(consented, gone)


async def entries(
    db: AsyncSession, policies: PublicationPolicies, participant_id: uuid.UUID
) -> list[EnteredPublication]:
    """Return the publications that records of the participant entered or may have, newest first."""
    asked = [
        (publication, _questions(publication, policy, participant_id))
        for publication in reversed(await published(db))
        for policy in [policies.of(publication.kind, publication.profile)]
        if policy is not None
    ]
    found: list[EnteredPublication] = []
    for start in range(0, len(asked), PAGE):
        page: Sequence[tuple[Published, tuple[ColumnElement[bool], ColumnElement[bool]]]]
        page = asked[start : start + PAGE]
        columns = [
            condition.label(f"q{number}")
            for number, condition in enumerate(each for _, both in page for each in both)
        ]
        counted = list((await (await db.connection()).execute(select(*columns))).one())
        for (publication, _), stored, gone in zip(page, counted[::2], counted[1::2], strict=True):
            if stored or gone:
                found.append(
                    EnteredPublication(publication, Entered.YES if stored else Entered.POSSIBLE)
                )
    return found
