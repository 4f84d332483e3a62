"""Events, and the outbox's reference to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

NO_UPDATE = """
    CREATE TRIGGER unaltered BEFORE UPDATE ON events FOR EACH ROW
    WHEN (
        OLD.position IS NOT NULL
        OR (NEW.id, NEW.type, NEW.subject_id, NEW.details, NEW.occurred_at, NEW.transaction_id) IS DISTINCT FROM
           (OLD.id, OLD.type, OLD.subject_id, OLD.details, OLD.occurred_at, OLD.transaction_id)
    )
    EXECUTE FUNCTION refuse_change()
"""
NO_DELETE = """
    CREATE TRIGGER append_only BEFORE DELETE ON events FOR EACH ROW
    WHEN (left(OLD.type, 6) <> 'email.')
    EXECUTE FUNCTION refuse_change()
"""
GRANTS = (
    "GRANT USAGE ON SEQUENCE event_positions TO medconnect_app",
    "REVOKE UPDATE ON events FROM medconnect_app",
    "GRANT UPDATE (position) ON events TO medconnect_app",
)
# A trigger, so that no statement that changes an email's state can omit the event.
RECORD = """
    CREATE FUNCTION record_change_of_email() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO events (type, subject_id, details)
        VALUES ('email.' || NEW.state, NEW.id, jsonb_build_object(
            'kind', NEW.kind, 'recipient', NEW.masked_recipient, 'attempts', NEW.attempts, 'error', NEW.error));
        RETURN NULL;
    END $$
"""
CHANGES = """
    CREATE TRIGGER emails_tell_of_each_state AFTER INSERT OR UPDATE OF state ON emails FOR EACH ROW
    EXECUTE FUNCTION record_change_of_email()
"""
MASK = r"UPDATE emails SET masked_recipient = regexp_replace(recipient, '^(.)[^@]*', '\1***')"


def upgrade() -> None:
    """Creates the table, adds the causing event to each email, and records the state changes of emails."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("event_positions")))
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("CAST(pg_current_xact_id()::text AS bigint)"),
            nullable=False,
        ),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("position", name=op.f("uq_events_position")),
    )
    op.create_index("ix_events_unplaced", "events", ["id"], postgresql_where=sa.text("position IS NULL"))
    op.create_index(
        "ix_events_occurred_at", "events", ["occurred_at"], postgresql_where=sa.text("left(type, 6) = 'email.'")
    )
    op.add_column("emails", sa.Column("masked_recipient", sa.Text(), server_default="", nullable=False))
    op.add_column("emails", sa.Column("event_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_emails_event_id"), "emails", "events", ["event_id"], ["id"])
    op.create_unique_constraint(op.f("uq_emails_event_id_recipient_id"), "emails", ["event_id", "recipient_id"])
    for statement in (*GRANTS, MASK, NO_UPDATE, NO_DELETE, RECORD, CHANGES):
        op.execute(statement)


def downgrade() -> None:
    """Reverts the changes in reverse order."""
    op.execute("DROP TRIGGER emails_tell_of_each_state ON emails")
    op.execute("DROP FUNCTION record_change_of_email()")
    op.drop_column("emails", "event_id")
    op.drop_column("emails", "masked_recipient")
    op.drop_table("events")
    op.execute(sa.schema.DropSequence(sa.Sequence("event_positions")))
