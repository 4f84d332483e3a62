"""Confirmation of email addresses by their owners, requests to detach addresses, and former addresses.

An address that staff entered belongs to its account, but its owner has not shown that the mailbox is theirs. Accounts
of before: an address counts as confirmed if the account has a password, because its owner set one with an emailed code,
or registered; an account that never had one was never used.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"

CONFIRMED = """
    UPDATE users SET email_confirmed_at = created_at WHERE email IS NOT NULL AND password_hash IS NOT NULL
"""
# An account whose address was detached keeps no address. The previous version cannot show it, so a downgrade gives it
# one that no mail server accepts (RFC 2606).
NAMED_AGAIN = (
    "UPDATE users SET email = 'detached-' || id || '@medconnect.invalid' WHERE email IS NULL AND new_email IS NULL"
)
HAS_ADDRESS = "email IS NOT NULL OR new_email IS NOT NULL"
# Emails that wait for a confirmation have no due time; the previous version sends them at once.
DUE = "UPDATE emails SET due_at = now() WHERE state = 'pending' AND due_at = 'infinity'"


def upgrade() -> None:
    """Adds the columns and tables, and counts the addresses of accounts with a password as confirmed."""
    op.add_column("users", sa.Column("email_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(CONFIRMED)
    _replace_check(f"{HAS_ADDRESS} OR status = 'deactivated'")
    op.add_column("patients", sa.Column("full_emails", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "email_detachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IN ('wrong_address', 'mailbox_lost', 'mailbox_shared', 'patient_asked')",
            name=op.f("ck_email_detachments_reason"),
        ),
        sa.CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name=op.f("ck_email_detachments_ended")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_email_detachments_patient_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_detachments_user_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_email_detachments_requested_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["users.id"], name=op.f("fk_email_detachments_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_detachments")),
    )
    op.create_index(
        "uq_email_detachments_open",
        "email_detachments",
        ["patient_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "former_emails",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_former_emails_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_former_emails")),
    )
    op.create_index("ix_former_emails_user_id", "former_emails", ["user_id"])
    op.create_index("ix_former_emails_expires_at", "former_emails", ["expires_at"])


def downgrade() -> None:
    """Drops the columns and tables; emails that wait for a confirmation are sent."""
    op.execute(DUE)
    op.drop_table("former_emails")
    op.drop_table("email_detachments")
    op.drop_column("patients", "full_emails")
    op.execute(NAMED_AGAIN)
    _replace_check(HAS_ADDRESS)
    op.drop_column("users", "email_confirmed_at")


def _replace_check(condition: str) -> None:
    op.drop_constraint(op.f("ck_users_has_address"), "users")
    op.create_check_constraint(op.f("ck_users_has_address"), "users", condition, postgresql_not_valid=True)
    op.execute("ALTER TABLE users VALIDATE CONSTRAINT ck_users_has_address")
