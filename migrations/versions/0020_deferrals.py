"""The number of temporary rejections of an email by the mail server; its retry delay depends on that number alone."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Adds the counter; emails that are waiting restart with the shortest delay."""
    op.add_column("emails", sa.Column("deferrals", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    """Drops the counter."""
    op.drop_column("emails", "deferrals")
