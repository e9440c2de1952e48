"""What publications one participant's records have entered, by the rule of the publications.

It is worked out from the person's own rows when they ask, and stored nowhere: a list of who entered
what would itself be something to protect.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, false, literal, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.journal.models import DECISIONS, REPORTS, SESSIONS
from api.participants.changes import ChangedKind
from api.participants.models import CHANGES
from api.publications.cube import agreed, belongs, session_counts
from api.publications.measures import FROM_REPORTS
from api.publications.periods import Period
from api.publications.policy import Plan, Plans
from api.publications.reading import Published, published

COUNTED_KINDS = (ChangedKind.SESSION, ChangedKind.SYMPTOM_REPORT)
# Questions in one statement; databases take a few hundred columns.
PAGE = 100


class Entered(StrEnum):
    """Whether records of the person are in a publication."""

    YES = "yes"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Entry:
    """A publication that records of the person have entered, or may have."""

    publication: Published
    entered: Entered


def _red_flag(period: Period, plan: Plan, own: uuid.UUID, *, now: bool) -> ColumnElement[bool]:
    """Say that a report of a period has a decision that counts: its present one, or any ever."""
    if not FROM_REPORTS & {table.table for table in plan.period(period.kind).tables}:
        return false()
    return exists().where(
        REPORTS.c.participant_id == own,
        belongs(REPORTS, period, plan),
        DECISIONS.c.participant_id == own,
        DECISIONS.c.report_id == REPORTS.c.id,
        DECISIONS.c.level.in_(plan.red_flag_levels),
        *((DECISIONS.c.id == REPORTS.c.decision_id,) if now else ()),
    )


def _questions(
    publication: Published, plan: Plan, own: uuid.UUID
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Ask of one publication whether what is stored entered it, and what is gone may have."""
    days = (publication.ends_on - publication.starts_on).days + 1
    period = Period(publication.starts_on, days, publication.kind)
    closed: datetime.datetime = publication.closed_at
    consented = agreed(literal(own, SESSIONS.c.participant_id.type), closed)
    session = exists().where(SESSIONS.c.participant_id == own, session_counts(period, plan))
    # Whatever was deleted since then may have counted; it is not known any more.
    deleted = exists().where(
        CHANGES.c.participant_id == own,
        CHANGES.c.deleted,
        CHANGES.c.kind.in_(COUNTED_KINDS),
        CHANGES.c.changed_at >= closed,
    )
    stored = or_(session, _red_flag(period, plan, own, now=True))
    gone = or_(deleted, _red_flag(period, plan, own, now=False))
    return and_(consented, stored), and_(consented, gone)


async def entries(db: AsyncSession, plans: Plans, participant_id: uuid.UUID) -> list[Entry]:
    """Return the publications that records of the person entered or may have, newest first."""
    asked = [
        (publication, _questions(publication, plan, participant_id))
        for publication in reversed(await published(db))
        for plan in [plans.of(publication.kind, publication.profile)]
        if plan is not None
    ]
    found: list[Entry] = []
    for start in range(0, len(asked), PAGE):
        page: Sequence[tuple[Published, tuple[ColumnElement[bool], ColumnElement[bool]]]]
        page = asked[start : start + PAGE]
        columns = [
            question.label(f"q{number}")
            for number, question in enumerate(each for _, both in page for each in both)
        ]
        answers = list((await db.execute(select(*columns))).one())
        for (publication, _), stored, gone in zip(page, answers[::2], answers[1::2], strict=True):
            if stored or gone:
                found.append(Entry(publication, Entered.YES if stored else Entered.POSSIBLE))
    return found
