"""The status that a deactivated account returns to."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("users", sa.Column("deactivated_from", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_users_deactivated_from"),
        "users",
        "deactivated_from IS NULL OR status = 'deactivated' AND deactivated_from IN ('active', 'unverified')",
    )


def downgrade() -> None:
    """Drops the column."""
    op.drop_constraint("ck_users_deactivated_from", "users")
    op.drop_column("users", "deactivated_from")
