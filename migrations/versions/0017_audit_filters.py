"""Indexes that find audit records of one event, and of the rarer kinds, without scanning the others.

The audit is the largest table, so its indexes are created CONCURRENTLY.
"""

from typing import Any

from sqlalchemy import text

from migrations import concurrent_index

revision = "0017"
down_revision = "0016"

TABLE = "audit_records"
INDEXES: dict[str, tuple[str, dict[str, Any]]] = {
    "event_occurred_at_id": ("event", {}),
    "unsuccessful": ("outcome", {"postgresql_where": text("outcome <> 0")}),
    "changes": ("action", {"postgresql_where": text("action <> 'R'")}),
    "other_roles": (
        "actor_role",
        {"postgresql_where": text("actor_role IN ('admin', 'anonymous', 'system')")},
    ),
}


def upgrade() -> None:
    """Creates the indexes."""
    for name, (column, which) in INDEXES.items():
        concurrent_index.create(f"ix_{TABLE}_{name}", TABLE, [column, "occurred_at", "id"], **which)


def downgrade() -> None:
    """Drops the indexes."""
    for name in reversed(INDEXES):
        concurrent_index.drop(f"ix_{TABLE}_{name}", TABLE)
