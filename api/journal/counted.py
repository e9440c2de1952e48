"""Which sessions count: the one condition for progress, publications and exports.

A session and all of its corrections, direct or through other corrections, are one session that was
practised once. Exactly one of them counts: one that no other corrects and, if several devices
corrected the same session, the one of these with the greatest id. Of sessions that correct each
other in a circle none counts. The result depends only on what is stored, never on arrival order.
"""

import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, true
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.journal.models import ExerciseSession

ABANDONED = "abandoned"
Sessions = type[ExerciseSession]


def superseded(
    sessions: Sessions = ExerciseSession, received_before: datetime.datetime | None = None
) -> ColumnElement[bool]:
    """Return the condition that another session counts instead of this one.

    With an instant, as of then. Two index look-ups: with an OR between them in one subquery, SQLite
    would read all sessions of the participant for each.
    """

    def same_participant(other: Sessions, than: Sessions) -> ColumnElement[bool]:
        received = col(other.received_at)
        known = true() if received_before is None else received < received_before
        return and_(col(other.participant_id) == col(than.participant_id), known)

    correction = aliased(ExerciseSession, name="correction")
    rival = aliased(ExerciseSession, name="rival")
    rivals_correction = aliased(ExerciseSession, name="rivals_correction")
    corrected = exists().where(
        same_participant(correction, sessions), col(correction.replaces) == col(sessions.id)
    )
    rival_corrected = exists().where(
        same_participant(rivals_correction, rival), col(rivals_correction.replaces) == col(rival.id)
    )
    outdone = exists().where(
        same_participant(rival, sessions),
        col(rival.original) == col(sessions.original),
        col(rival.id) > col(sessions.id),
        ~rival_corrected,
    )
    # Most sessions correct nothing: they have no rivals to look up.
    return or_(corrected, and_(col(sessions.original).is_not(None), outdone))


def counts(
    sessions: Sessions = ExerciseSession, received_before: datetime.datetime | None = None
) -> ColumnElement[bool]:
    """Return the condition that a session counts: practised, and not superseded."""
    return and_(col(sessions.status) != ABANDONED, ~superseded(sessions, received_before))
