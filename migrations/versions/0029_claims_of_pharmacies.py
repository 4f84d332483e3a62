"""The pharmacy that holds a claim.

A server of the version before does not write these columns, so `claimed_for` applies only while `claimed_for_until` is
the end of the claim: a claim that such a server takes or renews is its pharmacist's alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

# The new column is empty, so that checking it would only read the whole table under a lock: the constraint is added
# without, and checked in a step of its own that lets rows be written.
REFER = """
    ALTER TABLE prescriptions ADD CONSTRAINT fk_prescriptions_claimed_for
    FOREIGN KEY (claimed_for) REFERENCES organisations (id) NOT VALID
"""
CHECK = "ALTER TABLE prescriptions VALIDATE CONSTRAINT fk_prescriptions_claimed_for"


def upgrade() -> None:
    """Adds the columns."""
    op.add_column("prescriptions", sa.Column("claimed_for", sa.Uuid(), nullable=True))
    op.add_column("prescriptions", sa.Column("claimed_for_until", sa.DateTime(timezone=True), nullable=True))
    op.execute(REFER)
    with op.get_context().autocommit_block():
        op.execute(CHECK)


def downgrade() -> None:
    """Drops the columns; each open claim stays with the pharmacist who took it."""
    op.drop_column("prescriptions", "claimed_for_until")
    op.drop_column("prescriptions", "claimed_for")
