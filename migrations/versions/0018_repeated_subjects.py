"""The subject of a stored first success, so that the audit record of a repetition names the same patients."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"

TABLE = "idempotency_keys"


def upgrade() -> None:
    """Adds the columns; rows stored before have no subject until they expire within a day."""
    op.add_column(TABLE, sa.Column("object_kind", sa.Text(), server_default="", nullable=False))
    op.add_column(TABLE, sa.Column("object_id", sa.Uuid(), nullable=True))
    op.add_column(
        TABLE,
        sa.Column("patient_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    """Drops the columns."""
    for column in ("patient_ids", "object_id", "object_kind"):
        op.drop_column(TABLE, column)
