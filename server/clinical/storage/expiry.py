"""Writing down what time has ended; until then every statement judges it by itself."""

from typing import Final

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clinical.storage.tables import changed_now, prescriptions, status_now

AT_ONCE: Final = 500
"""Rows that one statement changes, so that none is locked for long."""

_column = prescriptions.c

# Each half walks its own partial index. Rows that somebody else holds are his to judge; they are found again next time.
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
    """Claims and validities that are over by the database's clock."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def expire_due(self) -> int:
        """Write them down; answers how many there were, AT_ONCE meaning that there may be more."""
        return (await self._connection.execute(_SETTLE)).rowcount
