"""What the database knows about failed sign-ins. It holds keyed hashes, never e-mails or addresses."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Integer, LargeBinary, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

FREE_FAILURES: Final = 5
"""So many failures cost no time; the fifth costs a second, each more twice as much as the one before."""
LONGEST_DELAY_SECONDS: Final = 900
EVERYBODY: Final = b""
"""The address of the counter that all addresses share from which the account did not sign in lately."""

_WHO: Final = (bindparam("account", type_=LargeBinary), bindparam("address", type_=LargeBinary))
_FREE: Final = bindparam("free", FREE_FAILURES, type_=Integer)
_LONGEST: Final = bindparam("longest", LONGEST_DELAY_SECONDS, type_=Integer)

# An account under delay has its next try counted before it is made, so that of many at once one gets through.
_ADMIT: Final = text(
    """
    WITH chosen AS (
        SELECT coalesce(
            (SELECT address FROM sign_in_counters
             WHERE account = :account AND address = :address AND signed_in_at > now() - interval '30 days'), :everybody
        ) AS address
    ), present AS (
        SELECT c.* FROM sign_in_counters c JOIN chosen ON chosen.address = c.address
        WHERE c.account = :account FOR UPDATE OF c
    ), counted AS (
        UPDATE sign_in_counters c
        SET failures = c.failures + 1, touched_at = now(),
            blocked_until = now() + make_interval(secs => least(:longest, 2 ^ least(c.failures + 1 - :free, 30)))
        FROM present
        WHERE c.account = present.account AND c.address = present.address
            AND present.failures >= :free AND present.blocked_until <= now()
        RETURNING c.account
    )
    SELECT chosen.address,
           CAST(extract(epoch FROM present.blocked_until - now()) AS float) AS wait,
           EXISTS (SELECT FROM counted) AS counted
    FROM chosen LEFT JOIN present ON true
    """
).bindparams(*_WHO, _FREE, _LONGEST, bindparam("everybody", EVERYBODY, type_=LargeBinary))

# What is a day old is forgiven; housekeeping deletes what nobody touched for 30 days.
_FAILED: Final = text(
    """
    INSERT INTO sign_in_counters AS c (account, address, failures, blocked_until, touched_at)
    VALUES (:account, :address, 1, now(), now())
    ON CONFLICT (account, address) DO UPDATE SET
        failures = CASE WHEN c.touched_at < now() - interval '1 day' THEN 1 ELSE c.failures + 1 END,
        blocked_until = CASE
            WHEN c.touched_at < now() - interval '1 day' OR c.failures + 1 < :free THEN now()
            ELSE now() + make_interval(secs => least(:longest, 2 ^ least(c.failures + 1 - :free, 30)))
        END,
        touched_at = now()
    """
).bindparams(*_WHO, _FREE, _LONGEST)

_SUCCEEDED: Final = text(
    """
    WITH forgiven AS (
        DELETE FROM sign_in_counters
        WHERE account = :account AND address = :counter AND :counter <> :address
    )
    INSERT INTO sign_in_counters AS c (account, address, failures, blocked_until, signed_in_at, touched_at)
    VALUES (:account, :address, 0, now(), now(), now())
    ON CONFLICT (account, address) DO UPDATE
    SET failures = 0, blocked_until = now(), signed_in_at = now(), touched_at = now()
    """
).bindparams(*_WHO, bindparam("counter", type_=LargeBinary))

_FORGIVE: Final = text(
    "UPDATE sign_in_counters SET failures = 0, blocked_until = now() WHERE account = :account"
).bindparams(_WHO[0])


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a sign-in may be tried now."""

    counter: bytes
    """The address of the counter that a failure counts on."""
    wait_seconds: float
    """0 or less: now."""
    counted: bool
    """The try has been counted as a failure already."""


class SignInRepository:
    """Counters of failed sign-ins, through one connection; account and address are keyed hashes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def admit(self, account: bytes, address: bytes) -> Admission:
        """How the counter stands that is in force for this account at this address."""
        row = (await self._connection.execute(_ADMIT, {"account": account, "address": address})).one()
        return Admission(row.address, row.wait or 0.0, row.counted)

    async def failed(self, account: bytes, counter: bytes) -> None:
        """Count a failure; from the fifth on it delays the next try."""
        await self._connection.execute(_FAILED, {"account": account, "address": counter})

    async def succeeded(self, account: bytes, address: bytes, counter: bytes) -> None:
        """Know the address for 30 days, and forget the failures on the counter that was in force."""
        await self._connection.execute(_SUCCEEDED, {"account": account, "address": address, "counter": counter})

    async def forgive(self, account: bytes) -> None:
        """Forget all failures of an account."""
        await self._connection.execute(_FORGIVE, {"account": account})
