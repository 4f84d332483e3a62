"""Lines of products given instead of the prescribed medicine, and items for which there must be none."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"

ITEMS: Final = "prescription_items"
LINES: Final = "dispensed_lines"
CHECK: Final = "ck_dispensed_lines_substitution"
NAME: Final = "dispensed_medicine_name"
REASON: Final = "substitution_reason"


def upgrade() -> None:
    """Adds the columns; of earlier items a substitute is allowed, and in earlier lines there is none."""
    op.add_column(ITEMS, sa.Column("substitution_allowed", sa.Boolean(), server_default=sa.true(), nullable=False))
    for column in (NAME, REASON):
        op.add_column(LINES, sa.Column(column, sa.Text(), server_default="", nullable=False))
    op.execute(f"ALTER TABLE {LINES} ADD CONSTRAINT {CHECK} CHECK (({NAME} = '') = ({REASON} = '')) NOT VALID")
    op.execute(f"ALTER TABLE {LINES} VALIDATE CONSTRAINT {CHECK}")


def downgrade() -> None:
    """Notes what was given in the log, where servers of the version before show it, and drops the columns."""
    op.execute(
        f"""
        UPDATE pharmacy_log SET notes = concat_ws(E'\\n', nullif(notes, ''), given.words)
        FROM (
            SELECT log_id, string_agg(
                format('Given: %s (instead of %s): %s', line.{NAME}, item.medicine_name, line.{REASON}),
                E'\\n' ORDER BY item.position, line.dispensed_before, line.before_fraction
            ) AS words
            FROM {LINES} AS line JOIN {ITEMS} AS item ON item.id = line.item_id
            WHERE line.{NAME} <> ''
            GROUP BY log_id
        ) AS given
        WHERE given.log_id = pharmacy_log.id
        """  # noqa: S608 - constants
    )
    op.drop_constraint(CHECK, LINES)
    op.drop_column(LINES, REASON)
    op.drop_column(LINES, NAME)
    op.drop_column(ITEMS, "substitution_allowed")
