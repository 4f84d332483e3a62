"""Rate limits that all processes share."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "rate_limit_buckets",
        sa.Column("limit_name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("full_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("limit_name", "key", name=op.f("pk_rate_limit_buckets")),
    )
    op.create_index("ix_rate_limit_buckets_full_at", "rate_limit_buckets", ["full_at"], unique=False)


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("rate_limit_buckets")
