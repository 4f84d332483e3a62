"""No two dispensed lines of an item start at the same quantity, of which fractions are a part."""

from typing import Final

from alembic import op

from migrations import concurrent_index

revision = "0037"
down_revision = "0036"

TABLE: Final = "dispensed_lines"
INDEX: Final = "uq_dispensed_lines_start"
OLD: Final = "uq_dispensed_lines_item_id_dispensed_before"

# Without fractions two lines may start at the same quantity, 0.5 and 0.7; nothing reads the column, so later ones move.
SEPARATE: Final = """
    UPDATE dispensed_lines SET dispensed_before = dispensed_before + 100000 * numbered.earlier
    FROM (
        SELECT id, row_number() OVER (PARTITION BY item_id, dispensed_before ORDER BY before_fraction) - 1 AS earlier
        FROM dispensed_lines
    ) AS numbered
    WHERE numbered.id = dispensed_lines.id AND numbered.earlier > 0
"""


def upgrade() -> None:
    """Creates the index, and drops the constraint that ignores fractions."""
    concurrent_index.create(INDEX, TABLE, ["item_id", "dispensed_before", "before_fraction"], unique=True)
    op.drop_constraint(OLD, TABLE)


def downgrade() -> None:
    """Creates the constraint, and drops the index."""
    op.execute(SEPARATE)
    op.create_unique_constraint(OLD, TABLE, ["item_id", "dispensed_before"])
    concurrent_index.drop(INDEX, TABLE)
