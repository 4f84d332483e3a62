"""Lists of the sessions that have not ended."""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, true

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page
from server.auth.entities import OpenSession
from server.auth.storage.tables import refresh_tokens, sessions
from server.db.connection import Connection, Row
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, Values, after_moment
from server.pagination import MomentAndId

# The one token of a session that can still be used; a session without it has ended unused.
_usable = (
    (refresh_tokens.c.session_id == sessions.c.id)
    & refresh_tokens.c.used_at.is_(None)
    & (refresh_tokens.c.expires_at > func.now())
)
_idle_end = select(func.max(refresh_tokens.c.expires_at).label("idle_end")).where(_usable).lateral("usable")
_rows: Final = select(
    sessions.c.id,
    sessions.c.device,
    sessions.c.address,
    sessions.c.created_at,
    sessions.c.last_used_at,
    func.least(sessions.c.expires_at, _idle_end.c.idle_end).label("expires_at"),
).select_from(sessions.join(_idle_end, true()))

_conditions: Final = {
    "user_id": (sessions.c.user_id == bindparam("user_id"))
    & sessions.c.revoked_at.is_(None)
    & (sessions.c.expires_at > func.now())
    & select(refresh_tokens.c.session_id).where(_usable).exists()
}
_order: Final = (sessions.c.created_at, sessions.c.id)
_OWN: Final = KeysetQuery(
    _rows, sessions, conditions=_conditions, order=_order, cursor=MOMENT_CURSOR, with_audit=lambda page: page
)
_OF_ACCOUNT: Final = KeysetQuery(
    _rows,
    sessions,
    conditions=_conditions,
    order=_order,
    cursor=MOMENT_CURSOR,
    with_audit=lambda page: audited_page(page, "account"),
)


class OpenSessionRepository:
    """Lists sessions through one connection.

    Both methods return up to `size` + 1 sessions after a cursor, newest first, and how many the account has.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def own(self, user_id: UUID, after: MomentAndId | None, size: int) -> tuple[list[OpenSession], int]:
        """Lists the sessions of an account for its owner, which the audit does not record."""
        return await self._fetch(_OWN, user_id, after, size, {})

    async def of_account(self, user_id: UUID, after: MomentAndId | None, size: int) -> tuple[list[OpenSession], int]:
        """Lists the sessions of an account for an admin; the access is audited."""
        record = audit_params(AuditEvent.ACCOUNT_SESSIONS_LISTED, Subject("account", user_id))
        return await self._fetch(_OF_ACCOUNT, user_id, after, size, record)

    async def _fetch(
        self, query: KeysetQuery, user_id: UUID, after: MomentAndId | None, size: int, record: Values
    ) -> tuple[list[OpenSession], int]:
        rows, found = await query.fetch(self._connection, {"user_id": user_id}, after_moment(after), size, record)
        return [_session_of(row) for row in rows], found


def _session_of(row: Row) -> OpenSession:
    return OpenSession(
        id=row["id"],
        device=row["device"],
        address=row["address"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
    )
