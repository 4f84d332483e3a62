"""Until when a session may read its patient's medical history."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make room for it."""
    op.add_column("sessions", sa.Column("history_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("sessions", "history_until")
