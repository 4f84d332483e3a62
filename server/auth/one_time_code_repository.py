"""What the database knows about one-time codes: hashes, for whom, how often tried."""

from datetime import datetime
from math import ceil
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Interval, LargeBinary, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.auth.one_time_codes import LIFETIME, MAX_PER_DAY, MAX_TRIES, CodeScope
from server.db.identifiers import new_id
from server.errors import RateLimitExceeded

LIMIT: Final = "codes"
"""What the refusal of one code too many names as its limit."""

_SCOPE: Final = (bindparam("user_id", type_=Uuid), bindparam("purpose", type_=Text))
_SESSION: Final = bindparam("session_id", type_=Uuid)

# Seconds until the oldest of the account's codes is a day old, if it got as many as it may; no row if it got fewer.
_WAIT: Final = text(
    """
    SELECT CAST(extract(epoch FROM created_at + interval '1 day' - now()) AS float) FROM one_time_codes
    WHERE user_id = :user_id AND created_at > now() - interval '1 day'
    ORDER BY created_at DESC OFFSET :most - 1 LIMIT 1
    """
).bindparams(_SCOPE[0], bindparam("most", MAX_PER_DAY, type_=Integer))

# The one that could still be used ends.
_END_OTHERS: Final = text(
    """
    UPDATE one_time_codes SET ended_at = now()
    WHERE user_id = :user_id AND purpose = :purpose AND ended_at IS NULL
    """
).bindparams(*_SCOPE)

_END_ALL: Final = text(
    "UPDATE one_time_codes SET ended_at = now() WHERE user_id = :user_id AND ended_at IS NULL"
).bindparams(_SCOPE[0])

_INSERT: Final = text(
    """
    INSERT INTO one_time_codes (id, user_id, purpose, session_id, code_hash, expires_at)
    VALUES (:id, :user_id, :purpose, :session_id, :code_hash, now() + :lifetime)
    RETURNING expires_at
    """
).bindparams(
    *_SCOPE,
    _SESSION,
    bindparam("id", type_=Uuid),
    bindparam("code_hash", type_=LargeBinary),
    bindparam("lifetime", type_=Interval),
)

# One statement, so that of any number of tries at once each is counted and one succeeds: those that wait for the row
# see it as the one before left it.
_TRY: Final = text(
    """
    UPDATE one_time_codes
    SET tries = tries + 1,
        ended_at = CASE WHEN code_hash = :code_hash OR tries + 1 >= :max_tries THEN now() END
    WHERE user_id = :user_id AND purpose = :purpose AND session_id IS NOT DISTINCT FROM :session_id
        AND ended_at IS NULL AND expires_at > now()
    RETURNING code_hash = :code_hash AS matches
    """
).bindparams(
    *_SCOPE, _SESSION, bindparam("code_hash", type_=LargeBinary), bindparam("max_tries", MAX_TRIES, type_=Integer)
)


class OneTimeCodeRepository:
    """One-time codes, through one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def replace(self, scope: CodeScope, code_hash: bytes) -> datetime:
        """Store a new code and end the account's other one for this purpose; lock the account first.

        Answers when it expires. Raises RateLimitExceeded, and nothing is changed, when the account was sent
        MAX_PER_DAY codes in 24 hours.
        """
        wait = await self._connection.scalar(_WAIT, {"user_id": scope.user_id})
        if wait is not None:
            raise RateLimitExceeded(retry_after=max(1, ceil(wait)), limit=LIMIT)
        await self._connection.execute(_END_OTHERS, {"user_id": scope.user_id, "purpose": scope.purpose})
        values = {**_values(scope), "id": new_id(), "code_hash": code_hash, "lifetime": LIFETIME}
        expires_at: datetime = (await self._connection.execute(_INSERT, values)).scalar_one()
        return expires_at

    async def use(self, scope: CodeScope, code_hash: bytes) -> bool:
        """Whether this is the code that stands open there; it is used up then. A wrong try is counted."""
        found = await self._connection.execute(_TRY, {**_values(scope), "code_hash": code_hash})
        return bool(found.scalar_one_or_none())

    async def end_all(self, user_id: UUID) -> None:
        """End every code of an account that could still be used."""
        await self._connection.execute(_END_ALL, {"user_id": user_id})


def _values(scope: CodeScope) -> dict[str, object]:
    return {"user_id": scope.user_id, "purpose": scope.purpose, "session_id": scope.session_id}
