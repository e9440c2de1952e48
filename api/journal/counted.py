"""Which sessions count: the one condition for progress, for publications and for exports.

A session and all that corrects it, directly or through other corrections, are one session that was
practised once. One of them counts: one that nothing corrects, and where several devices have
corrected the same session, the one of these with the greatest id. Of sessions that correct each
other in a circle none counts. That depends on what is stored alone, never on what arrived first.
"""

import datetime

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_, true

from api.journal.models import SESSIONS

ABANDONED = "abandoned"


def superseded(
    sessions: FromClause = SESSIONS, received_before: datetime.datetime | None = None
) -> ColumnElement[bool]:
    """Make the condition that another session stands for this one.

    With an instant, as it was before anything else was received. Two look-ups by index: with an OR
    between them in one subquery, SQLite would read all of the participant's sessions for each.
    """

    def of_the_same(other: FromClause, than: FromClause) -> ColumnElement[bool]:
        known = true() if received_before is None else other.c.received_at < received_before
        return and_(other.c.participant_id == than.c.participant_id, known)

    correction, rival = SESSIONS.alias("correction"), SESSIONS.alias("rival")
    rivals_correction = SESSIONS.alias("rivals_correction")
    corrected = exists().where(
        of_the_same(correction, sessions), correction.c.replaces == sessions.c.id
    )
    rival_corrected = exists().where(
        of_the_same(rivals_correction, rival), rivals_correction.c.replaces == rival.c.id
    )
    outdone = exists().where(
        of_the_same(rival, sessions),
        rival.c.original == sessions.c.original,
        rival.c.id > sessions.c.id,
        ~rival_corrected,
    )
    return or_(corrected, outdone)


def counts(
    sessions: FromClause = SESSIONS, received_before: datetime.datetime | None = None
) -> ColumnElement[bool]:
    """Make the condition that a session counts: it was practised, and none stands for it."""
    return and_(sessions.c.status != ABANDONED, ~superseded(sessions, received_before))
