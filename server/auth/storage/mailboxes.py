"""Repository of the bond between accounts and mailboxes: confirming, detaching and restoring addresses."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Interval, LargeBinary, Text, Uuid, bindparam, text

from server.db.connection import Connection, UniqueViolation
from server.errors import EmailTaken

UNDO_PERIOD: Final = timedelta(hours=72)
"""How long the owner of a former address can undo its replacement."""

_USER: Final = bindparam("user_id", type_=Uuid)
_TOKEN: Final = bindparam("token_hash", type_=LargeBinary)

_CONFIRM: Final = text(
    """
    UPDATE users SET email_confirmed_at = now()
    WHERE id = :user_id AND email IS NOT NULL AND email_confirmed_at IS NULL
    """
).bindparams(_USER)
_DETACH: Final = text(
    """
    UPDATE users
    SET email = NULL, new_email = NULL, email_confirmed_at = NULL, password_hash = NULL, status = 'deactivated',
        deactivated_from = NULL, status_changed_at = now()
    WHERE id = :user_id
    """
).bindparams(_USER)
_KEEP_FORMER: Final = text(
    """
    INSERT INTO former_emails (token_hash, user_id, email, expires_at)
    VALUES (:token_hash, :user_id, :email, now() + :period)
    RETURNING expires_at
    """
).bindparams(_TOKEN, _USER, bindparam("email", type_=Text), bindparam("period", UNDO_PERIOD, type_=Interval))
_OWNER: Final = text("SELECT user_id FROM former_emails WHERE token_hash = :token_hash").bindparams(_TOKEN)
# The addresses that replaced the former one were not the owner's wish either, so they cannot be restored later.
_USE: Final = text(
    """
    WITH used AS (
        SELECT user_id, email, created_at FROM former_emails
        WHERE token_hash = :token_hash AND ended_at IS NULL AND expires_at > now()
    ), ended AS (
        UPDATE former_emails AS later SET ended_at = now() FROM used
        WHERE later.user_id = used.user_id AND later.created_at >= used.created_at AND later.ended_at IS NULL
    )
    SELECT email FROM used
    """
).bindparams(_TOKEN)
_END_ALL: Final = text(
    "UPDATE former_emails SET ended_at = now() WHERE user_id = :user_id AND ended_at IS NULL"
).bindparams(_USER)
_RESTORE: Final = text(
    """
    UPDATE users SET email = :email, new_email = NULL, email_confirmed_at = now(), password_hash = NULL
    WHERE id = :user_id
    """
).bindparams(_USER, bindparam("email", type_=Text))


class MailboxRepository:
    """Changes the addresses of locked accounts through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def confirm(self, user_id: UUID) -> None:
        """Records that the owner of the account's address has shown that the mailbox is theirs."""
        await self._connection.execute(_CONFIRM, {"user_id": user_id})

    async def detach(self, user_id: UUID) -> None:
        """Removes address and password of an account and deactivates it for good; ends links of former addresses."""
        await self._connection.execute(_DETACH, {"user_id": user_id})
        await self._connection.execute(_END_ALL, {"user_id": user_id})

    async def keep_former(self, user_id: UUID, email: str, token_hash: bytes) -> datetime:
        """Stores the former address of an account until UNDO_PERIOD has passed; returns when that is."""
        values = {"user_id": user_id, "email": email, "token_hash": token_hash}
        expires_at: datetime = await self._connection.scalar(_KEEP_FORMER, values)
        return expires_at

    async def owner(self, token_hash: bytes) -> UUID | None:
        """Returns the account of a token that undoes a change, usable or not; None for an unknown token."""
        found: UUID | None = await self._connection.scalar(_OWNER, {"token_hash": token_hash})
        return found

    async def use(self, token_hash: bytes) -> str | None:
        """Uses up a token of a locked account and all later ones; returns the former address, None if it is invalid."""
        email: str | None = await self._connection.scalar(_USE, {"token_hash": token_hash})
        return email

    async def restore(self, user_id: UUID, email: str) -> None:
        """Gives an account its former address back and removes its password. Raises EmailTaken."""
        try:
            async with self._connection.savepoint():
                await self._connection.execute(_RESTORE, {"user_id": user_id, "email": email})
        except UniqueViolation as error:
            raise EmailTaken() from error
