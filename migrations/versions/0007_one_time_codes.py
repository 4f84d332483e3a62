"""One-time codes, and columns of the outbox for emailing them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Creates the table, and the columns for an encrypted code in an email."""
    op.create_table(
        "one_time_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('password_reset', 'history_access')", name=op.f("ck_one_time_codes_purpose")),
        sa.CheckConstraint(
            "(purpose = 'history_access') = (session_id IS NOT NULL)", name=op.f("ck_one_time_codes_session")
        ),
        sa.CheckConstraint(
            "tries BETWEEN 0 AND 5 AND (tries < 5 OR ended_at IS NOT NULL)", name=op.f("ck_one_time_codes_tries")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_one_time_codes_user_id")),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_one_time_codes_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_codes")),
    )
    op.create_index(
        "ix_one_time_codes_open",
        "one_time_codes",
        ["user_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_one_time_codes_user_id_created_at", "one_time_codes", ["user_id", "created_at"], unique=False)
    op.add_column("emails", sa.Column("sealed_code", sa.LargeBinary(), nullable=True))
    op.add_column("emails", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_emails_sealed_code"), "emails", "sealed_code IS NULL OR finished_at IS NULL")


def downgrade() -> None:
    """Reverts the changes in reverse order."""
    op.drop_constraint("ck_emails_sealed_code", "emails")
    op.drop_column("emails", "expires_at")
    op.drop_column("emails", "sealed_code")
    op.drop_table("one_time_codes")
