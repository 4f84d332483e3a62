"""The device, the address and the last use of each session, which its owner sees in the list of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

# Each refresh uses a token and stores the next one, so the newest token of a session was issued at its last refresh.
LAST_REFRESH = """
    UPDATE sessions SET last_used_at = greatest(
        created_at, (SELECT max(issued_at) FROM refresh_tokens WHERE session_id = sessions.id)
    ) WHERE revoked_at IS NULL AND expires_at > now()
"""


def upgrade() -> None:
    """Adds the columns; sessions that are open have no known device, and were last used at their last refresh."""
    op.add_column("sessions", sa.Column("device", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("sessions", sa.Column("address", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "sessions",
        sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.execute(LAST_REFRESH)


def downgrade() -> None:
    """Drops the columns."""
    for column in ("last_used_at", "address", "device"):
        op.drop_column("sessions", column)
