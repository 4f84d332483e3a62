"""Lists, reads and clears single emails for admins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, bindparam, select, text

from server.db.connection import Connection, Row
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, after_moment
from server.errors import NotFound
from server.outbox.entities import EmailKind, EmailState
from server.outbox.storage.tables import emails
from server.queue_admin.entities import ListedEmail

AT_ONCE: Final = 5000
"""The most emails that one statement deletes."""

_SHOWN: Final = select(
    emails.c.id,
    emails.c.kind,
    emails.c.masked_recipient.label("recipient"),
    emails.c.state,
    emails.c.attempts,
    emails.c.error,
    emails.c.created_at,
    emails.c.due_at,
    emails.c.finished_at,
)
_ONE: Final = _SHOWN.where(emails.c.id == bindparam("id"))
_LIST: Final = KeysetQuery(
    _SHOWN,
    emails,
    conditions={"states": emails.c.state == any_(bindparam("states", type_=ARRAY(Text)))},
    order=(emails.c.created_at, emails.c.id),
    cursor=MOMENT_CURSOR,
    with_audit=lambda page: page,
)
_CLEAR: Final = text(
    """
    DELETE FROM emails WHERE id IN (
        SELECT id FROM emails WHERE state = 'completed' AND finished_at IS NOT NULL
        ORDER BY finished_at LIMIT :at_once FOR UPDATE SKIP LOCKED
    )
    """
).bindparams(at_once=AT_ONCE)


class EmailListRepository:
    """The emails of the queue, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, mail_id: UUID) -> ListedEmail:
        """Returns one email. Raises NotFound."""
        row = await self._connection.first(_ONE, {"id": mail_id})
        if row is None:
            raise NotFound("email")
        return _read_email(row)

    async def newest(
        self, states: Sequence[EmailState], after: tuple[datetime, UUID] | None, size: int
    ) -> tuple[list[ListedEmail], int]:
        """Returns up to `size` + 1 emails, newest first, in these states (empty: all), and the number found."""
        filters = {"states": [state.value for state in states] or None}
        rows, found = await _LIST.fetch(self._connection, filters, after_moment(after), size, {})
        return [_read_email(row) for row in rows], found

    async def clear_completed(self) -> int:
        """Deletes up to AT_ONCE sent emails and returns their number."""
        return await self._connection.execute(_CLEAR)


def _read_email(row: Row) -> ListedEmail:
    values = {name: row[name] for name in ListedEmail.__slots__}
    return ListedEmail(**{**values, "kind": EmailKind(row["kind"]), "state": EmailState(row["state"])})
