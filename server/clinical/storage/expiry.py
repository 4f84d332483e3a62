"""Persists expired claims and prescriptions; until then every statement derives the current state by itself."""

from typing import Final

from sqlalchemy import ColumnElement, any_, func, literal_column, select, union_all, update

from server.clinical.storage.tables import changed_now, prescriptions, status_now
from server.db.connection import Connection

AT_ONCE: Final = 500
"""Number of rows that one statement changes, so that none is locked for long."""

_column = prescriptions.c

# States and limits are written into the SQL: PostgreSQL plans the statement before it knows parameters, and could not
# tell that a state is one whose rows a partial index holds. Each half takes its rows in the order of its own partial
# index. Without that order PostgreSQL expects to find AT_ONCE open prescriptions soon by reading the table from its
# start, although the open ones expire in the future: it would read the whole table each time. Rows locked by another
# transaction are skipped and found in the next round.
_LIMIT: ColumnElement[int] = literal_column(str(AT_ONCE))
_UNCLAIMED_STATES: list[ColumnElement[str]] = [
    literal_column(f"'{status}'") for status in ("pending", "scanned", "partially_dispensed")
]
_CLAIMS = (
    select(_column.id)
    .where(_column.status == literal_column("'validated'"), _column.claim_expires_at <= func.now())
    .order_by(_column.claim_expires_at)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("claims")
)
_UNCLAIMED = (
    select(_column.id)
    .where(_column.status.in_(_UNCLAIMED_STATES), _column.expires_at <= func.now())
    .order_by(_column.expires_at)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("unclaimed")
)
# An array rather than a join: PostgreSQL looks its ids up by the primary key, however many rows it expects.
_DUE = func.array(union_all(select(_CLAIMS.c.id), select(_UNCLAIMED.c.id)).limit(_LIMIT).scalar_subquery())
_EXPIRE_DUE = (
    update(prescriptions)
    .where(_column.id == any_(_DUE))
    .values(status=status_now, changed_at=changed_now)
    .values(claimed_by=None, claimed_from=None, claim_expires_at=None)
    .values(claimed_for=None, claimed_for_until=None)
)


class ExpiryRepository:
    """Finds expired claims and prescriptions by the database's clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def expire_due(self) -> int:
        """Persists them; returns how many there were. AT_ONCE means that there may be more."""
        return await self._connection.execute(_EXPIRE_DUE)
