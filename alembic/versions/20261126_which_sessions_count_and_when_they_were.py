"""Which of several corrections counts, and the day that a device sent."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SESSIONS = "exercise_session"
DATED = (SESSIONS, "symptom_report")
INDEX = "ix_exercise_session_original"
# Each round doubles how far a session looks back. Sessions that correct each other in a circle
# would never end.
ROUNDS = 32


def upgrade() -> None:
    """Add the columns, and find the original of every correction that is stored."""
    for table in DATED:
        op.add_column(table, sa.Column("sent_local_date", sa.Date(), nullable=True))
    op.add_column(SESSIONS, sa.Column("original", sa.Uuid(), nullable=True))
    sessions = sa.table(
        SESSIONS,
        sa.column("participant_id", sa.Uuid()),
        sa.column("id", sa.Uuid()),
        sa.column("replaces", sa.Uuid()),
        sa.column("original", sa.Uuid()),
    )
    corrects = sessions.c.replaces.is_not(None)
    op.execute(sa.update(sessions).where(corrects).values(original=sessions.c.replaces))
    op.create_index(
        INDEX,
        SESSIONS,
        ["participant_id", "original", "id"],
        sqlite_where=sa.text("original IS NOT NULL"),
        postgresql_where=sa.text("original IS NOT NULL"),
    )
    corrected = sessions.alias("corrected")
    earlier = sa.select(corrected.c.original).where(
        corrected.c.participant_id == sessions.c.participant_id,
        corrected.c.id == sessions.c.original,
        corrected.c.original.is_not(None),
    )
    look_back = (
        sa.update(sessions)
        .where(sessions.c.original.is_not(None), earlier.exists())
        .values(original=earlier.scalar_subquery())
    )
    for _ in range(ROUNDS):
        if not op.get_bind().execute(look_back).rowcount:
            break


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index(INDEX, table_name=SESSIONS)
    op.drop_column(SESSIONS, "original")
    for table in DATED:
        op.drop_column(table, "sent_local_date")
