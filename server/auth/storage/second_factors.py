"""Repository of second factors, recovery codes and challenges. It stores sealed secrets and hashes."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Interval, LargeBinary, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from server.auth.entities import AppSecret, FactorKind, FactorState, SecondFactor, User
from server.auth.rules.second_factors import CHALLENGE_LIFE, CONFIRM_WITHIN, FRESH_FOR
from server.auth.storage.accounts import AccountRepository
from server.db.connection import Connection, Row
from server.errors import NotFound

_USER: Final = bindparam("user_id", type_=Uuid)
_FACTOR: Final = bindparam("factor_id", type_=Uuid)
_SESSION: Final = bindparam("session_id", type_=Uuid)

_STATE: Final = text(
    """
    SELECT EXISTS (
               SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL
           ) AS enrolled,
           coalesce((SELECT s.factor_at > now() - :fresh_for FROM sessions s WHERE s.id = :session_id), false) AS fresh,
           now() - u.factor_grace_since AS without_for
    FROM users u WHERE u.id = :user_id
    """
).bindparams(_USER, _SESSION, bindparam("fresh_for", FRESH_FOR, type_=Interval))
_VERIFIED: Final = text(
    "UPDATE sessions SET factor_at = now() WHERE id = :session_id RETURNING factor_at + :fresh_for AS until"
).bindparams(_SESSION, bindparam("fresh_for", FRESH_FOR, type_=Interval))
_LIST: Final = text(
    """
    SELECT id, kind, label, created_at, last_used_at FROM second_factors
    WHERE user_id = :user_id AND confirmed_at IS NOT NULL ORDER BY created_at, id
    """
).bindparams(_USER)
_INSERT: Final = text(
    """
    INSERT INTO second_factors (id, user_id, kind, label, sealed_secret)
    VALUES (:factor_id, :user_id, 'totp', :label, :sealed)
    """
).bindparams(_FACTOR, _USER, bindparam("label", type_=Text), bindparam("sealed", type_=LargeBinary))
_PENDING: Final = text(
    """
    SELECT id, sealed_secret, last_step FROM second_factors
    WHERE id = :factor_id AND user_id = :user_id AND confirmed_at IS NULL AND created_at > now() - :within
    """
).bindparams(_FACTOR, _USER, bindparam("within", CONFIRM_WITHIN, type_=Interval))
_CONFIRM: Final = text(
    """
    UPDATE second_factors SET confirmed_at = now(), last_step = :step WHERE id = :factor_id
    RETURNING id, kind, label, created_at, last_used_at
    """
).bindparams(_FACTOR, bindparam("step", type_=BigInteger))
_SECRETS: Final = text(
    "SELECT id, sealed_secret, last_step FROM second_factors WHERE user_id = :user_id AND confirmed_at IS NOT NULL"
).bindparams(_USER)
# The condition refuses a code that a concurrent call has used, although the account is locked: a code works once.
_USE_STEP: Final = text(
    """
    UPDATE second_factors SET last_step = :step, last_used_at = now(), sealed_secret = :sealed
    WHERE id = :factor_id AND (last_step IS NULL OR last_step < :step)
    """
).bindparams(_FACTOR, bindparam("step", type_=BigInteger), bindparam("sealed", type_=LargeBinary))
_USE_RECOVERY: Final = text(
    "UPDATE recovery_codes SET used_at = now() WHERE user_id = :user_id AND code_hash = :hash AND used_at IS NULL"
).bindparams(_USER, bindparam("hash", type_=LargeBinary))
_DROP_RECOVERY: Final = text("DELETE FROM recovery_codes WHERE user_id = :user_id").bindparams(_USER)
_ADD_RECOVERY: Final = text(
    "INSERT INTO recovery_codes (user_id, code_hash) SELECT :user_id, unnest(CAST(:hashes AS bytea[]))"
).bindparams(_USER, bindparam("hashes", type_=ARRAY(LargeBinary)))
_RECOVERY_LEFT: Final = text(
    "SELECT count(*) FROM recovery_codes WHERE user_id = :user_id AND used_at IS NULL"
).bindparams(_USER)
_REMOVE: Final = text(
    "DELETE FROM second_factors WHERE id = :factor_id AND user_id = :user_id AND confirmed_at IS NOT NULL"
).bindparams(_FACTOR, _USER)
_REMOVE_ALL: Final = text("DELETE FROM second_factors WHERE user_id = :user_id").bindparams(_USER)
_CHALLENGE: Final = text(
    """
    INSERT INTO sign_in_challenges (token_hash, user_id, expires_at) VALUES (:hash, :user_id, now() + :life)
    RETURNING expires_at
    """
).bindparams(bindparam("hash", type_=LargeBinary), _USER, bindparam("life", CHALLENGE_LIFE, type_=Interval))
_CHALLENGED: Final = text(
    "SELECT user_id FROM sign_in_challenges WHERE token_hash = :hash AND expires_at > now()"
).bindparams(bindparam("hash", type_=LargeBinary))
_USE_CHALLENGE: Final = text(
    "DELETE FROM sign_in_challenges WHERE token_hash = :hash AND expires_at > now()"
).bindparams(bindparam("hash", type_=LargeBinary))
_END_CHALLENGES: Final = text("DELETE FROM sign_in_challenges WHERE user_id = :user_id").bindparams(_USER)


class SecondFactorRepository:
    """Reads and writes second factors through one connection. Lock the account before a write."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def state(self, user_id: UUID, session_id: UUID | None) -> FactorState:
        """Returns the state of an account's second factor, as its session sees it."""
        row = await self._connection.one(_STATE, {"user_id": user_id, "session_id": session_id})
        return FactorState(row["enrolled"], row["fresh"], row["without_for"])

    async def verified(self, session_id: UUID) -> datetime:
        """Records that a second factor was verified in a session now. Returns until when it counts as fresh."""
        until: datetime = await self._connection.scalar(_VERIFIED, {"session_id": session_id})
        return until

    async def all_of(self, user_id: UUID) -> tuple[SecondFactor, ...]:
        """Returns the factors of an account that work, oldest first."""
        rows = await self._connection.rows(_LIST, {"user_id": user_id})
        return tuple(map(_factor_of, rows))

    async def add_app(self, factor_id: UUID, user_id: UUID, label: str, sealed: bytes) -> None:
        """Stores an authenticator app that does not work until it is confirmed."""
        values = {"factor_id": factor_id, "user_id": user_id, "label": label, "sealed": sealed}
        await self._connection.execute(_INSERT, values)

    async def unconfirmed(self, user_id: UUID, factor_id: UUID) -> AppSecret:
        """Returns the secret of an app that waits for its first code. Raises NotFound, also after CONFIRM_WITHIN."""
        row = await self._connection.first(_PENDING, {"user_id": user_id, "factor_id": factor_id})
        if row is None:
            raise NotFound("second factor")
        return _secret_of(row)

    async def confirm(self, factor_id: UUID, step: int) -> SecondFactor:
        """Makes an app work, and uses up the code of this step."""
        return _factor_of(await self._connection.one(_CONFIRM, {"factor_id": factor_id, "step": step}))

    async def secrets(self, user_id: UUID) -> tuple[AppSecret, ...]:
        """Returns the sealed secrets of the apps of an account that work."""
        return tuple(map(_secret_of, await self._connection.rows(_SECRETS, {"user_id": user_id})))

    async def use_step(self, factor_id: UUID, step: int, sealed: bytes) -> bool:
        """Uses up the codes of an app until this step. Returns False if they were used before."""
        values = {"factor_id": factor_id, "step": step, "sealed": sealed}
        return bool(await self._connection.execute(_USE_STEP, values))

    async def use_recovery_code(self, user_id: UUID, code_hash: bytes) -> bool:
        """Uses up a recovery code. Returns False if it is unknown or was used."""
        return bool(await self._connection.execute(_USE_RECOVERY, {"user_id": user_id, "hash": code_hash}))

    async def replace_recovery_codes(self, user_id: UUID, hashes: Collection[bytes]) -> None:
        """Replaces the recovery codes of an account; none if there are no hashes."""
        await self._connection.execute(_DROP_RECOVERY, {"user_id": user_id})
        if hashes:
            await self._connection.execute(_ADD_RECOVERY, {"user_id": user_id, "hashes": list(hashes)})

    async def recovery_codes_left(self, user_id: UUID) -> int:
        """Returns how many recovery codes of an account can still be used."""
        left: int = await self._connection.scalar(_RECOVERY_LEFT, {"user_id": user_id})
        return left

    async def remove(self, user_id: UUID, factor_id: UUID) -> None:
        """Removes a factor of an account. Raises NotFound."""
        if not await self._connection.execute(_REMOVE, {"user_id": user_id, "factor_id": factor_id}):
            raise NotFound("second factor")

    async def remove_all(self, user_id: UUID) -> None:
        """Removes every factor and recovery code of an account, and ends its waiting sign-ins."""
        for statement in (_REMOVE_ALL, _DROP_RECOVERY, _END_CHALLENGES):
            await self._connection.execute(statement, {"user_id": user_id})

    async def challenge(self, user_id: UUID, token_hash: bytes) -> datetime:
        """Stores a sign-in that waits for its second factor, and returns when it expires."""
        expires_at: datetime = await self._connection.scalar(_CHALLENGE, {"hash": token_hash, "user_id": user_id})
        return expires_at

    async def challenged(self, token_hash: bytes) -> User | None:
        """Returns the account whose sign-in waits with this challenge; None if it is unknown, used or expired."""
        user_id = await self._connection.scalar(_CHALLENGED, {"hash": token_hash})
        return None if user_id is None else await AccountRepository(self._connection).get(user_id)

    async def use_challenge(self, token_hash: bytes) -> bool:
        """Uses up a challenge. Returns False if it is unknown, used or expired."""
        return bool(await self._connection.execute(_USE_CHALLENGE, {"hash": token_hash}))

    async def end_challenges(self, user_id: UUID) -> None:
        """Ends the waiting sign-ins of an account, because its password has changed."""
        await self._connection.execute(_END_CHALLENGES, {"user_id": user_id})


def _factor_of(row: Row) -> SecondFactor:
    return SecondFactor(row["id"], FactorKind(row["kind"]), row["label"], row["created_at"], row["last_used_at"])


def _secret_of(row: Row) -> AppSecret:
    return AppSecret(row["id"], row["sealed_secret"], row["last_step"])
