"""The statuses of accounts, which every serving process remembers."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Interval, bindparam, func, select

from server.auth.entities import UserStatus
from server.auth.storage.tables import users
from server.db.connection import Connection

_NOT_ACTIVE: Final = select(users.c.id, users.c.status).where(
    users.c.status.in_([UserStatus.UNVERIFIED, UserStatus.DEACTIVATED])
)
_STATUS_CHANGES: Final = select(users.c.id, users.c.status).where(
    users.c.status_changed_at > func.now() - bindparam("within", type_=Interval)
)


class AccountStatusRepository:
    """Reads which accounts may act."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def not_active(self) -> Mapping[UUID, UserStatus]:
        """Returns all accounts that are not active, with their status."""
        rows = await self._connection.rows(_NOT_ACTIVE)
        return {row["id"]: UserStatus(row["status"]) for row in rows}

    async def status_changes(self, within: timedelta) -> Mapping[UUID, UserStatus]:
        """Returns the accounts whose status changed in that time, with the current status."""
        rows = await self._connection.rows(_STATUS_CHANGES, {"within": within})
        return {row["id"]: UserStatus(row["status"]) for row in rows}
