"""Columns of the outbox about outages, failures and waiting emails."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Adds the columns and the indexes."""
    op.add_column(
        "emails", sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    op.add_column("emails", sa.Column("harmless", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("UPDATE emails SET harmless = true WHERE state = 'failed' AND error = 'EXPIRED'")
    op.create_index(
        "ix_emails_urgent",
        "emails",
        ["due_at"],
        postgresql_where=sa.text("finished_at IS NULL AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_emails_unfinished",
        "emails",
        ["prescription_id", "recipient_id", "id"],
        postgresql_where=sa.text("finished_at IS NULL AND prescription_id IS NOT NULL"),
    )
    op.create_index("ix_emails_recipient_id_created_at", "emails", ["recipient_id", "created_at"])
    op.create_index("ix_emails_created_at_id", "emails", ["created_at", "id"])
    op.create_index("ix_emails_state_created_at_id", "emails", ["state", "created_at", "id"])
    for name in ("circuit_open", "stands_in"):
        op.add_column("mail_workers", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """Drops the columns and the indexes."""
    for name in ("stands_in", "circuit_open"):
        op.drop_column("mail_workers", name)
    for index in ("state_created_at_id", "created_at_id", "recipient_id_created_at", "unfinished", "urgent"):
        op.drop_index(f"ix_emails_{index}", "emails")
    for name in ("harmless", "queued_at"):
        op.drop_column("emails", name)
