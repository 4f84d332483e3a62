"""A dispense has several lines of an item, one for each batch, and lines have product codes."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from migrations import concurrent_index

revision = "0039"
down_revision = "0038"

TABLE: Final = "dispensed_lines"
INDEX: Final = "ix_dispensed_lines_log_id"
OLD: Final = "uq_dispensed_lines_log_id_item_id"

# Each further line of an item gets a dispense of its own: the same action at the same time.
SEPARATE: Final = """
    WITH further AS MATERIALIZED (
        SELECT id, log_id, gen_random_uuid() AS own_log_id
        FROM (
            SELECT id, log_id, row_number() OVER (
                PARTITION BY log_id, item_id ORDER BY dispensed_before, before_fraction
            ) AS number
            FROM dispensed_lines
        ) AS numbered
        WHERE number > 1
    ), dispenses AS (
        INSERT INTO pharmacy_log
            (id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status, notes, occurred_at)
        SELECT further.own_log_id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status,
            notes, occurred_at
        FROM further JOIN pharmacy_log ON pharmacy_log.id = further.log_id
    )
    UPDATE dispensed_lines SET log_id = further.own_log_id FROM further WHERE further.id = dispensed_lines.id
"""


def upgrade() -> None:
    """Adds the column, and replaces the constraint by an index of the same lookups."""
    op.add_column(TABLE, sa.Column("product_code", sa.Text(), server_default="", nullable=False))
    concurrent_index.create(INDEX, TABLE, ["log_id"])
    op.drop_constraint(OLD, TABLE)


def downgrade() -> None:
    """Gives further lines dispenses of their own, and restores the constraint."""
    op.execute(SEPARATE)
    op.create_unique_constraint(OLD, TABLE, ["log_id", "item_id"])
    concurrent_index.drop(INDEX, TABLE)
    op.drop_column(TABLE, "product_code")
