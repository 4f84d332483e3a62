"""Partly dispensed prescriptions whose rest a pharmacy has closed."""

from typing import Final

from alembic import op

revision = "0045"
down_revision = "0044"

STATES: Final = (
    "'pending', 'scanned', 'validated', 'partially_dispensed', 'dispensed', 'rejected', 'cancelled', 'expired'"
)
ACTIONS: Final = "'scan', 'lookup', 'validate', 'dispense', 'reject', 'release', 'end_claim'"


def upgrade() -> None:
    """Permits the state and the action."""
    _permit("prescriptions", "status", f"{STATES}, 'closed'")
    _permit("pharmacy_log", "action", f"{ACTIONS}, 'close'")


def downgrade() -> None:
    """Expires closed prescriptions: nothing more is dispensed of these either. Log and emails name a rejection."""
    op.execute("UPDATE prescriptions SET status = 'expired' WHERE status = 'closed'")
    op.execute("UPDATE pharmacy_log SET action = 'reject', to_status = 'expired' WHERE action = 'close'")
    op.execute("UPDATE emails SET kind = 'rejected' WHERE kind = 'closed'")
    _permit("prescriptions", "status", STATES)
    _permit("pharmacy_log", "action", ACTIONS)


def _permit(table: str, column: str, values: str) -> None:
    """Replaces the check of a column; existing rows are validated without a lock that stops writes."""
    name = f"ck_{table}_{column}"
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({column} IN ({values})) NOT VALID"
    )
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
