"""Prescriptions that are valid from a later day than that of their creation."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"

CHECK = "ck_prescriptions_validity"


def upgrade() -> None:
    """Adds the columns; prescriptions of before were valid from their creation."""
    op.add_column("prescriptions", sa.Column("valid_from", sa.Date(), nullable=True))
    op.add_column("prescriptions", sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f(CHECK),
        "prescriptions",
        "(valid_from IS NULL) = (starts_at IS NULL) AND (starts_at IS NULL OR starts_at < expires_at)",
        postgresql_not_valid=True,
    )
    op.execute(f"ALTER TABLE prescriptions VALIDATE CONSTRAINT {CHECK}")


def downgrade() -> None:
    """Suspends prescriptions that are not valid yet, else pharmacies would dispense them too early."""
    op.execute(
        "UPDATE prescriptions SET suspended_at = now()"
        " WHERE starts_at > now() AND suspended_at IS NULL AND status = 'pending'"
    )
    op.drop_constraint(op.f(CHECK), "prescriptions")
    op.drop_column("prescriptions", "starts_at")
    op.drop_column("prescriptions", "valid_from")
