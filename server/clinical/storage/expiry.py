"""Persists expired claims and prescriptions; until then every statement derives the current state by itself."""

from typing import Final

from sqlalchemy import and_, func, or_, select, update

from server.clinical.storage.tables import changed_now, prescriptions, status_now
from server.db.connection import Connection

AT_ONCE: Final = 500
"""Number of rows that one statement changes, so that none is locked for long."""

_column = prescriptions.c

# Each half uses its own partial index. Rows locked by another transaction are skipped and found in the next round.
_LAPSED = (
    select(_column.id, status_now.label("status"), changed_now.label("changed_at"))
    .where(
        or_(
            and_(_column.status == "validated", _column.claim_expires_at <= func.now()),
            and_(_column.status.in_(("pending", "scanned", "partially_dispensed")), _column.expires_at <= func.now()),
        )
    )
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("lapsed")
)
_SETTLE = (
    update(prescriptions)
    .where(_column.id == _LAPSED.c.id)
    .values(status=_LAPSED.c.status, changed_at=_LAPSED.c.changed_at)
    .values(claimed_by=None, claimed_from=None, claim_expires_at=None)
)


class ExpiryRepository:
    """Finds expired claims and prescriptions by the database's clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def expire_due(self) -> int:
        """Persists them; returns how many there were. AT_ONCE means that there may be more."""
        return await self._connection.execute(_SETTLE)
