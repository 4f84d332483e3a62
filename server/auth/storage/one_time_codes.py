"""Repository of one-time codes: their hashes, scopes and tries."""

from datetime import datetime
from math import ceil
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Integer, Interval, LargeBinary, Text, Uuid, bindparam, text

from server.auth.rules.one_time_codes import (
    LIFETIME,
    MAX_PER_DAY,
    MAX_TRIES,
    STRANGERS_CODES,
    STRANGERS_TRIES,
    CodeScope,
)
from server.db.connection import Connection
from server.db.identifiers import new_id
from server.errors import RateLimitExceeded

LIMIT: Final = "codes"
"""The limit that the error names."""

_SCOPE: Final = (bindparam("user_id", type_=Uuid), bindparam("purpose", type_=Text))
_SESSION: Final = bindparam("session_id", type_=Uuid)
_ASKER: Final = (
    bindparam("address", type_=LargeBinary),
    bindparam("nonce", type_=LargeBinary),
    bindparam("stranger", type_=Boolean),
)

# Calls that request or try a code of an account are serialized, so that counts are read and written by one at a time.
_LOCK_ACCOUNT: Final = text("SELECT FROM users WHERE id = :user_id FOR NO KEY UPDATE").bindparams(_SCOPE[0])

# The seconds until the oldest counted code is a day old, if the maximum is reached. Codes are counted by purpose, reset
# codes also by requesting address; those that strangers requested are counted together as well.
_WAIT: Final = text(
    """
    WITH today AS (
        SELECT created_at, address, stranger FROM one_time_codes
        WHERE user_id = :user_id AND purpose = :purpose AND created_at > now() - interval '1 day'
    ), full_since AS (
        (SELECT created_at FROM today WHERE address IS NOT DISTINCT FROM :address
         ORDER BY created_at DESC OFFSET :most - 1 LIMIT 1)
        UNION ALL
        (SELECT created_at FROM today WHERE stranger AND :stranger
         ORDER BY created_at DESC OFFSET :most_of_strangers - 1 LIMIT 1)
    )
    SELECT CAST(extract(epoch FROM max(created_at) + interval '1 day' - now()) AS float) FROM full_since
    """
).bindparams(
    *_SCOPE,
    *_ASKER[::2],
    bindparam("most", MAX_PER_DAY, type_=Integer),
    bindparam("most_of_strangers", STRANGERS_CODES, type_=Integer),
)

_END_OPEN: Final = text(
    """
    UPDATE one_time_codes SET ended_at = now()
    WHERE user_id = :user_id AND purpose = :purpose AND session_id IS NOT DISTINCT FROM :session_id
        AND ended_at IS NULL
    """
).bindparams(*_SCOPE, _SESSION)

_END_ALL: Final = text(
    "UPDATE one_time_codes SET ended_at = now() WHERE user_id = :user_id AND ended_at IS NULL"
).bindparams(_SCOPE[0])

_INSERT: Final = text(
    """
    INSERT INTO one_time_codes (id, user_id, purpose, session_id, address, nonce, stranger, code_hash, expires_at)
    VALUES (:id, :user_id, :purpose, :session_id, :address, :nonce, :stranger, :code_hash, now() + :lifetime)
    RETURNING expires_at
    """
).bindparams(
    *_SCOPE,
    _SESSION,
    *_ASKER,
    bindparam("id", type_=Uuid),
    bindparam("code_hash", type_=LargeBinary),
    bindparam("lifetime", type_=Interval),
)

# A client's own codes are those that it requested, by its nonce or else by its address. A try by a client without a
# nonce and without own codes is checked against the codes of other such clients: its address has changed, or it is a
# stranger. Such stray tries never end a code. The tries that strangers share for a day are `pooled`; the first try at
# a code is not.
_TRY: Final = text(
    """
    WITH open AS (
        SELECT id, tries, stray_tries, stranger,
               nonce IS NOT NULL OR address IS NOT DISTINCT FROM :address AS own
        FROM one_time_codes
        WHERE user_id = :user_id AND purpose = :purpose AND session_id IS NOT DISTINCT FROM :session_id
            AND nonce IS NOT DISTINCT FROM :nonce AND ended_at IS NULL AND expires_at > now()
    ), tried AS (
        SELECT id, own, NOT own OR (stranger AND tries > 0) AS pooled FROM open
        WHERE own OR (stray_tries < :max_tries AND NOT EXISTS (SELECT FROM open WHERE own))
    ), spent AS (
        SELECT coalesce(sum(stray_tries + CASE WHEN stranger THEN greatest(tries - 1, 0) ELSE 0 END), 0) AS tries
        FROM one_time_codes
        WHERE user_id = :user_id AND purpose = :purpose AND created_at > now() - interval '1 day'
    ), judged AS (
        SELECT id, own FROM tried, spent
        WHERE NOT pooled OR spent.tries + (SELECT count(*) FROM tried WHERE pooled) <= :pool
    )
    UPDATE one_time_codes AS code
    SET tries = code.tries + CASE WHEN own THEN 1 ELSE 0 END,
        stray_tries = code.stray_tries + CASE WHEN own THEN 0 ELSE 1 END,
        ended_at = CASE WHEN code_hash = :code_hash OR (own AND code.tries + 1 >= :max_tries) THEN now() END
    FROM judged WHERE code.id = judged.id AND code.ended_at IS NULL
    RETURNING code_hash = :code_hash AS matches
    """
).bindparams(
    *_SCOPE,
    _SESSION,
    *_ASKER[:2],
    bindparam("code_hash", type_=LargeBinary),
    bindparam("max_tries", MAX_TRIES, type_=Integer),
    bindparam("pool", STRANGERS_TRIES, type_=Integer),
)


class OneTimeCodeRepository:
    """Stores and checks one-time codes through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, scope: CodeScope, code_hash: bytes) -> datetime:
        """Stores a new code and locks the account. Returns the code's expiry.

        If strangers can request codes, former codes stay valid until they are used or expire. If only the owner can,
        the former code ends, because a code confirms the address that it was sent to. Raises RateLimitExceeded, without
        a change, if the maximum for 24 hours is reached.
        """
        values = _values(scope)
        await self._connection.execute(_LOCK_ACCOUNT, values)
        wait = await self._connection.scalar(_WAIT, values)
        if wait is not None:
            raise RateLimitExceeded(retry_after=max(1, ceil(wait)), limit=LIMIT)
        if scope.asker is None:
            await self._connection.execute(_END_OPEN, values)
        stored = {**values, "id": new_id(), "code_hash": code_hash, "lifetime": LIFETIME}
        expires_at: datetime = await self._connection.scalar(_INSERT, stored)
        return expires_at

    async def use(self, scope: CodeScope, code_hash: bytes) -> bool:
        """Returns whether the code is open in this scope, and then ends all open codes; a wrong try is counted.

        Every concurrent try is counted, and only one succeeds: the row lock of the single open code ensures this, and
        if strangers can try, the lock of the account.
        """
        values = _values(scope)
        if scope.asker is not None:
            await self._connection.execute(_LOCK_ACCOUNT, values)
        tried = await self._connection.scalars(_TRY, {**values, "code_hash": code_hash})
        if not any(tried):
            return False
        await self._connection.execute(_END_OPEN, values)
        return True

    async def end_all(self, user_id: UUID) -> None:
        """Ends every open code of an account."""
        await self._connection.execute(_END_ALL, {"user_id": user_id})


def _values(scope: CodeScope) -> dict[str, object]:
    asker = scope.asker
    return {
        "user_id": scope.user_id,
        "purpose": scope.purpose,
        "session_id": scope.session_id,
        "address": asker.address if asker else None,
        "nonce": asker.nonce if asker else None,
        "stranger": asker is not None and not asker.known,
    }
