"""Indexes that find expired rows without scanning the tables."""

from alembic import op

revision = "0016"
down_revision = "0015"

INDEXES = (
    ("refresh_tokens", "expires_at"),
    ("sessions", "expires_at"),
    ("one_time_codes", "session_id"),
    ("one_time_codes", "created_at"),
    ("idempotency_keys", "created_at"),
)


def upgrade() -> None:
    """Creates the indexes."""
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drops the indexes."""
    for table, column in reversed(INDEXES):
        op.drop_index(f"ix_{table}_{column}", table)
