"""Email addresses that are unconfirmed until their emailed code is entered."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

PURPOSE = "ck_one_time_codes_purpose"
HAS_ADDRESS = "ck_users_has_address"


def upgrade() -> None:
    """Lets an account have an unconfirmed address and no confirmed one, and adds the purpose of codes for it."""
    op.add_column("users", sa.Column("new_email", sa.Text(), nullable=True))
    op.alter_column("users", "email", nullable=True)
    op.create_check_constraint(op.f(HAS_ADDRESS), "users", "email IS NOT NULL OR new_email IS NOT NULL")
    op.create_check_constraint(op.f("ck_users_new_email_lower"), "users", "new_email = lower(new_email)")
    op.create_index(
        "ix_users_new_email", "users", ["new_email"], unique=False, postgresql_where=sa.text("new_email IS NOT NULL")
    )
    op.drop_constraint(op.f(PURPOSE), "one_time_codes")
    op.create_check_constraint(
        op.f(PURPOSE),
        "one_time_codes",
        "purpose IN ('password_reset', 'history_access', 'email_confirmation')",
    )


def downgrade() -> None:
    """Reverts the change; an account without a confirmed address gets an undeliverable one."""
    op.execute("DELETE FROM one_time_codes WHERE purpose = 'email_confirmation'")
    op.drop_constraint(op.f(PURPOSE), "one_time_codes")
    op.create_check_constraint(op.f(PURPOSE), "one_time_codes", "purpose IN ('password_reset', 'history_access')")
    op.execute("UPDATE users SET email = id || '@unconfirmed.invalid' WHERE email IS NULL")
    op.drop_index("ix_users_new_email", "users")
    op.drop_constraint(op.f("ck_users_new_email_lower"), "users")
    op.drop_constraint(op.f(HAS_ADDRESS), "users")
    op.alter_column("users", "email", nullable=False)
    op.drop_column("users", "new_email")
