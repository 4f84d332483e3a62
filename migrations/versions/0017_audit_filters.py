"""Indexes that find audit records of one event, and of the rarer kinds, without scanning the others.

The audit is the largest table, so its indexes are created CONCURRENTLY.
"""

from typing import Any

from alembic import op
from sqlalchemy import text

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
    """Creates the indexes; first drops invalid ones of an interrupted run."""
    with op.get_context().autocommit_block():
        for name, (column, which) in INDEXES.items():
            op.drop_index(f"ix_{TABLE}_{name}", TABLE, if_exists=True, postgresql_concurrently=True)
            columns = [column, "occurred_at", "id"]
            op.create_index(f"ix_{TABLE}_{name}", TABLE, columns, postgresql_concurrently=True, **which)


def downgrade() -> None:
    """Drops the indexes."""
    with op.get_context().autocommit_block():
        for name in reversed(INDEXES):
            op.drop_index(f"ix_{TABLE}_{name}", TABLE, postgresql_concurrently=True)
