"""Stores events with their change, assigns their positions in the feed after its commit, and reads the feed."""

import json
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import text

from server.db.connection import Connection, Row
from server.events.catalog import Event
from server.outbox.entities import EmailChange, EmailKind, EmailState, NewEmail
from server.outbox.storage.outbox import INSERT_EMAILS, columns

AT_ONCE: Final = 1000
"""The most events that one statement gives positions."""

# The same statement adds the emails: the event and its emails cost one round trip.
_RECORD: Final = text(
    f"""
    WITH event AS (
        INSERT INTO events (type, subject_id, details)
        VALUES (:type, :subject_id, CAST(CAST(:changed AS text) AS jsonb))
        RETURNING id
    )
    {INSERT_EMAILS}
    """  # noqa: S608 - composed of constants
)

# Serializes sequencers: the next one reads the feed after this one has committed.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('events.position', 0))")

# A transaction older than all running ones has committed or will never be visible, so no event can precede its events
# later. Among such rows the ids give the order in which transactions that waited for each other wrote them.
_ASSIGN_POSITIONS: Final = text(
    """
    WITH placed AS (
        SELECT settled.id, nextval('event_positions') AS position
        FROM (
            SELECT id FROM events
            WHERE position IS NULL
              AND transaction_id < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
            ORDER BY id LIMIT :at_once
        ) AS settled
    )
    UPDATE events SET position = placed.position FROM placed WHERE events.id = placed.id
    """
).bindparams(at_once=AT_ONCE)
_MAIL_CHANGES: Final = text(
    """
    SELECT position, subject_id, right(type, -6) AS state, details, occurred_at FROM events
    WHERE position > :after AND left(type, 6) = 'email.'
    ORDER BY position LIMIT :limit
    """
)
_LAST: Final = text("SELECT coalesce(max(position), 0) FROM events")
_UNPLACED: Final = text("SELECT EXISTS (SELECT FROM events WHERE position IS NULL)")


EmailsOf = Callable[[Event], Sequence[NewEmail]]


class EventRepository:
    """Events, on one connection. emails_of: returns the emails that an event causes."""

    def __init__(self, connection: Connection, emails_of: EmailsOf) -> None:
        self._connection = connection
        self._emails_of = emails_of
        self.recorded = False
        """True if this transaction has recorded events."""

    async def record(self, event: Event) -> None:
        """Records an event and adds the emails that it causes, in the current transaction."""
        values = {
            "type": event.type.value,
            "subject_id": event.subject_id,
            "changed": json.dumps(event.payload),
            **columns(self._emails_of(event)),
        }
        await self._connection.execute(_RECORD, values)
        self.recorded = True

    async def assign_positions(self) -> int:
        """Assigns committed events their positions in the feed and returns their number.

        Needs a transaction of its own.
        """
        await self._connection.execute(_ONE_AT_A_TIME)
        return await self._connection.execute(_ASSIGN_POSITIONS)

    async def last_position(self) -> int:
        """Returns the last position in the feed; 0 while it is empty."""
        return int(await self._connection.scalar(_LAST))

    async def mail_changes(self, after: int, limit: int) -> tuple[EmailChange, ...]:
        """Returns the first `limit` changes of emails' states after a position in the feed."""
        rows = await self._connection.rows(_MAIL_CHANGES, {"after": after, "limit": limit})
        return tuple(_mail_change(row) for row in rows)

    async def some_wait(self) -> bool:
        """Returns True if events have no position yet: older transactions must end first."""
        return bool(await self._connection.scalar(_UNPLACED))


def _mail_change(row: Row) -> EmailChange:
    details = json.loads(row["details"])
    return EmailChange(
        sequence=row["position"],
        mail_id=row["subject_id"],
        kind=EmailKind(details["kind"]),
        recipient=details["recipient"],
        state=EmailState(row["state"]),
        attempts=details["attempts"],
        error=details["error"],
        changed_at=row["occurred_at"],
    )
