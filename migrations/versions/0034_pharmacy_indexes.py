"""Indexes of a pharmacy's log, also by action, and of the open claims of a pharmacist."""

from typing import Any

from sqlalchemy import text

from migrations import concurrent_index

revision = "0034"
down_revision = "0033"

CLAIMED: dict[str, Any] = {"postgresql_where": text("status = 'validated'")}
INDEXES: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "ix_pharmacy_log_organisation_id_occurred_at_id": ("pharmacy_log", ["organisation_id", "occurred_at", "id"], {}),
    "ix_pharmacy_log_organisation_id_action_occurred_at_id": (
        "pharmacy_log",
        ["organisation_id", "action", "occurred_at", "id"],
        {},
    ),
    "ix_prescriptions_claimed_by": ("prescriptions", ["claimed_by"], CLAIMED),
}


def upgrade() -> None:
    """Creates the indexes."""
    for name, (table, columns, which) in INDEXES.items():
        concurrent_index.create(name, table, columns, **which)


def downgrade() -> None:
    """Drops the indexes."""
    for name, (table, _, _) in reversed(INDEXES.items()):
        concurrent_index.drop(name, table)
