"""Suspended prescriptions: those of a doctor whose licence was withdrawn or whose account was stolen.

The constraint also stops servers of the version before, which do not know the column.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

CHECK = "ck_prescriptions_suspended"


def upgrade() -> None:
    """Adds the columns and the constraint that a suspended prescription is neither claimed nor dispensed."""
    op.add_column("prescriptions", sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("prescriptions", sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        f"ALTER TABLE prescriptions ADD CONSTRAINT {CHECK}"
        " CHECK (suspended_at IS NULL OR status NOT IN ('validated', 'dispensed')) NOT VALID"
    )
    op.execute(f"ALTER TABLE prescriptions VALIDATE CONSTRAINT {CHECK}")


def downgrade() -> None:
    """Cancels suspended prescriptions, which the version before would dispense, and drops the columns."""
    op.execute(
        "UPDATE prescriptions SET status = 'cancelled', status_reason = 'Suspended', changed_at = now()"
        " WHERE suspended_at IS NOT NULL AND status IN ('pending', 'scanned', 'partially_dispensed')"
    )
    op.execute(f"ALTER TABLE prescriptions DROP CONSTRAINT {CHECK}")
    op.drop_column("prescriptions", "resumed_at")
    op.drop_column("prescriptions", "suspended_at")
