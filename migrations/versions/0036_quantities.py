"""Quantities with fractions and units.

The whole part of a quantity stays in its column, which servers of the version before read and write: to them,
quantities are rounded down, and what they store has no fraction. Rows from before count pieces.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

# Adding a column with a constant default does not rewrite the table. Constraints are checked in a step of their own
# that lets rows be written.
FRACTIONS: Final = (
    ("prescription_items", "quantity_fraction"),
    ("prescription_items", "dispensed_fraction"),
    ("dispensed_lines", "quantity_fraction"),
    ("dispensed_lines", "before_fraction"),
)
UNIT: Final = """quantity_unit IN ('piece', 'tablet', 'capsule', 'ml', 'g', 'drop', 'puff', 'dose', 'patch', 'unit',
    'ampoule', 'sachet', 'suppository', 'pack')"""
QUANTITY: Final = """quantity >= 0 AND quantity_fraction >= 0
    AND quantity + quantity_fraction BETWEEN 0.001 AND 10000"""
DISPENSED: Final = """dispensed_quantity >= 0 AND dispensed_fraction >= 0
    AND dispensed_quantity + dispensed_fraction <= quantity + quantity_fraction"""
BEFORE: Final = "dispensed_before >= 0 AND before_fraction >= 0"
NEW: Final = (
    ("prescription_items", "quantity", QUANTITY),
    ("prescription_items", "dispensed_quantity", DISPENSED),
    ("prescription_items", "quantity_unit", UNIT),
    ("dispensed_lines", "quantity", QUANTITY),
    ("dispensed_lines", "dispensed_before", BEFORE),
)
OLD: Final = (
    ("prescription_items", "quantity", "quantity BETWEEN 1 AND 10000"),
    ("prescription_items", "dispensed_quantity", "dispensed_quantity BETWEEN 0 AND quantity"),
    ("dispensed_lines", "quantity", "quantity BETWEEN 1 AND 10000"),
    ("dispensed_lines", "dispensed_before", "dispensed_before >= 0"),
)


def upgrade() -> None:
    """Adds the columns and their checks."""
    for table, column in FRACTIONS:
        op.add_column(table, sa.Column(column, sa.Numeric(3, 3), server_default=sa.text("0"), nullable=False))
    op.add_column("prescription_items", sa.Column("quantity_unit", sa.Text(), server_default="piece", nullable=False))
    for table, name, _ in OLD:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}")
    for table, name, rule in NEW:
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID")
    with op.get_context().autocommit_block():
        for table, name, _ in NEW:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")


def downgrade() -> None:
    """Drops the fractions and units.

    A quantity below 1 becomes 0, which the checks of the version before forbid: they apply to new rows only.
    """
    for table, name, _ in NEW:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}")
    op.drop_column("prescription_items", "quantity_unit")
    for table, column in FRACTIONS:
        op.drop_column(table, column)
    for table, name, rule in OLD:
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID")
