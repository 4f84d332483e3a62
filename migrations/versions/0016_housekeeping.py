"""What is swept away is found without reading tables through."""

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
    """Make the indexes."""
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop them, the newest first."""
    for table, column in reversed(INDEXES):
        op.drop_index(f"ix_{table}_{column}", table)
