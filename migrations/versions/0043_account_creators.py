"""The admin who created an account, who may not be the only one to verify it."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    """Adds the column; of accounts that exist already, the creator is unknown."""
    op.add_column("users", sa.Column("created_by", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Drops the column."""
    op.drop_column("users", "created_by")
