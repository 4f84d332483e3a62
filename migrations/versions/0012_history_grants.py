"""The time until which a session may read its patient's medical history."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("sessions", sa.Column("history_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drops the column."""
    op.drop_column("sessions", "history_until")
