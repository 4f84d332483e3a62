"""Repository of the admins who verify accounts and are told of what concerns them."""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, exists, literal_column, select, text

from server.auth.entities import User, UserStatus
from server.auth.storage.accounts import USER_COLUMNS, user_of
from server.auth.storage.tables import users
from server.db.connection import Connection
from server.identity import Role

# The role is written into the SQL: PostgreSQL plans a statement before it knows parameters, and admins are few.
_is_admin = users.c.role == literal_column(f"'{Role.ADMIN}'")
_ACTIVE: Final = select(*USER_COLUMNS).where(_is_admin, users.c.status == UserStatus.ACTIVE).order_by(users.c.id)
_CREATOR_OF_WAITING: Final = select(users.c.created_by).where(
    users.c.id == bindparam("user_id"), users.c.status == UserStatus.UNVERIFIED
)
_LOCK_FIRST: Final = text("SELECT pg_advisory_xact_lock(hashtext('medconnect first admin'))")
_EXISTS: Final = select(exists().where(_is_admin))


class AdminRepository:
    """Reads admins through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def active(self) -> tuple[User, ...]:
        """Returns all active admins."""
        return tuple(user_of(row) for row in await self._connection.rows(_ACTIVE))

    async def creator_of_waiting(self, user_id: UUID) -> UUID | None:
        """Returns the admin who created an account that waits for its verification; None if no admin did."""
        creator: UUID | None = await self._connection.scalar(_CREATOR_OF_WAITING, {"user_id": user_id})
        return creator

    async def lock_first(self) -> None:
        """Takes the lock for creating the first admin, until the transaction ends; waits for other processes."""
        await self._connection.execute(_LOCK_FIRST)

    async def any_exists(self) -> bool:
        """Returns whether there is an admin, active or not."""
        return bool(await self._connection.scalar(_EXISTS))
