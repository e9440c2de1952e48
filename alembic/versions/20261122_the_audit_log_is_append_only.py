"""the audit log is append-only."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQLITE = (
    """
    CREATE TRIGGER audit_entry_is_not_changed BEFORE UPDATE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit log is never changed'); END
    """,
    """
    CREATE TRIGGER audit_entry_is_not_deleted BEFORE DELETE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit log is never deleted'); END
    """,
    # REPLACE deletes without firing the trigger above.
    """
    CREATE TRIGGER audit_entry_is_not_replaced BEFORE INSERT ON audit_entry
    WHEN NEW.number IS NOT NULL AND EXISTS (SELECT 1 FROM audit_entry WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit log is never replaced'); END
    """,
)
POSTGRESQL = (
    """
    CREATE FUNCTION refuse_change_of_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'an entry of the audit log is never changed or deleted'; END $$
    """,
    """
    CREATE TRIGGER audit_entry_is_not_changed
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_entry()
    """,
)


def upgrade() -> None:
    """Go up."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Go down."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_entry_is_not_changed")
        op.execute("DROP TRIGGER audit_entry_is_not_deleted")
        op.execute("DROP TRIGGER audit_entry_is_not_replaced")
    else:
        op.execute("DROP TRIGGER audit_entry_is_not_changed ON audit_entry")
        op.execute("DROP FUNCTION refuse_change_of_audit_entry()")
