"""Publications never change."""

import datetime
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Each table with the condition that a new row equals an existing one.
TABLES = {
    "publication": "id = NEW.id OR kind = NEW.kind AND starts_on = NEW.starts_on",
    "publication_cell": "publication_id = NEW.publication_id AND table_name = NEW.table_name "
    "AND key = NEW.key AND statistic = NEW.statistic",
}
INSTALLATION = sa.table(
    "installation", sa.column("id", sa.Uuid()), sa.column("installed_on", sa.Date())
)


def upgrade() -> None:
    """Name this installation, and forbid changing what was published, the owner included."""
    # Periods are counted from here: a date that reveals nothing about anyone.
    today = datetime.datetime.now(datetime.UTC).date()
    op.bulk_insert(INSTALLATION, [{"id": uuid.uuid4(), "installed_on": today}])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION publication_stays() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION 'what was published is never changed'; END $$"
        )
        for table in TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION publication_stays()"
            )
        return
    for table, same in TABLES.items():
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_stays_on_{event.lower()} BEFORE {event} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'what was published is never changed'); END"
            )
        # INSERT OR REPLACE deletes the old row without firing the trigger above.
        op.execute(
            f"CREATE TRIGGER {table}_stays_on_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            "BEGIN SELECT RAISE(IGNORE); END"
        )


def downgrade() -> None:
    """Remove the protection; the migration below removes the tables."""
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"DROP TRIGGER {table}_stays ON {table}")
        op.execute("DROP FUNCTION publication_stays()")
    else:
        for table in TABLES:
            for event in ("update", "delete", "replace"):
                op.execute(f"DROP TRIGGER {table}_stays_on_{event}")
    op.execute(sa.delete(INSTALLATION))
