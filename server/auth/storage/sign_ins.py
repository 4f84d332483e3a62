"""Repository of failed sign-ins. It stores keyed hashes, never email or client addresses."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Double, Integer, LargeBinary, bindparam, text

from server.db.connection import Connection

FREE_FAILURES: Final = 5
"""From this failure on sign-ins are delayed: the fifth costs a second, and each further one doubles the delay."""
LONGEST_DELAY_SECONDS: Final = 900
EVERYBODY: Final = b""
"""The address of the counter that is shared by all addresses from which the account has not signed in for 30 days."""

_WHO: Final = (bindparam("account", type_=LargeBinary), bindparam("address", type_=LargeBinary))
_FREE: Final = bindparam("free", FREE_FAILURES, type_=Integer)
_LONGEST: Final = bindparam("longest", LONGEST_DELAY_SECONDS, type_=Integer)
_EVERYBODY: Final = bindparam("everybody", EVERYBODY, type_=LargeBinary)

# One statement charges or refuses a try, so that every concurrent try is counted: a try that waits for the row sees it
# as the previous one left it, and a try that is delayed locks nothing. Failures that are a day old are reset; retention
# purges rows that were not touched for 30 days. A try is judged at its arrival time (`waited` seconds ago): one that
# arrived during a delay cannot outlast it by waiting for a connection.
_CHARGE: Final = text(
    """
    WITH chosen AS (
        SELECT coalesce(
            (SELECT address FROM sign_in_counters
             WHERE account = :account AND address = :address AND signed_in_at > now() - interval '30 days'), :everybody
        ) AS address
    ), seen AS (
        SELECT c.* FROM sign_in_counters c JOIN chosen ON chosen.address = c.address WHERE c.account = :account
    ), charged AS (
        INSERT INTO sign_in_counters AS c (account, address, failures, blocked_until, touched_at)
        SELECT CAST(:account AS bytea), address, 1, now(), now() FROM chosen
        WHERE NOT EXISTS (
            SELECT FROM seen WHERE failures >= :free AND blocked_until > now() - make_interval(secs => :waited)
        )
        ON CONFLICT (account, address) DO UPDATE SET
            failures = CASE WHEN c.touched_at < now() - interval '1 day' THEN 1 ELSE c.failures + 1 END,
            blocked_until = CASE
                WHEN c.touched_at < now() - interval '1 day' OR c.failures + 1 < :free THEN now()
                ELSE now() + make_interval(secs => least(:longest, 2 ^ least(c.failures + 1 - :free, 30)))
            END,
            touched_at = now()
        WHERE c.failures < :free OR c.blocked_until <= now() - make_interval(secs => :waited)
        RETURNING c.address
    )
    SELECT chosen.address, EXISTS (SELECT FROM charged) AS allowed,
           CAST(extract(epoch FROM seen.blocked_until - now()) AS float) AS wait
    FROM chosen LEFT JOIN seen ON true
    """
).bindparams(*_WHO, _FREE, _LONGEST, _EVERYBODY, bindparam("waited", type_=Double))

_GIVE_BACK: Final = text(
    """
    UPDATE sign_in_counters SET failures = greatest(failures - 1, 0), blocked_until = now()
    WHERE account = :account AND address = :address
    """
).bindparams(*_WHO)

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

_KNOWS: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM sign_in_counters
        WHERE account = :account AND address = :address AND signed_in_at > now() - interval '30 days'
    )
    """
).bindparams(*_WHO)

_FORGIVE: Final = text(
    "UPDATE sign_in_counters SET failures = 0, blocked_until = now() WHERE account = :account"
).bindparams(_WHO[0])


@dataclass(frozen=True, slots=True)
class SignInCharge:
    """The result of charging a try."""

    counter: bytes
    """The address of the counter that applies."""
    allowed: bool
    """Whether the password may be checked; the try is then charged as a failure."""
    wait_seconds: float
    """For a refused try, the seconds until the next try is allowed."""


class SignInRepository:
    """Counters of failed sign-ins, through one connection; account and address are keyed hashes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def charge(self, account: bytes, address: bytes, *, waited: float) -> SignInCharge:
        """Charges a failure to the counter that applies to this account and address, unless it is delayed.

        From the fifth on, each failure delays the next try. waited: the seconds since the try arrived.
        """
        values = {"account": account, "address": address, "waited": waited}
        row = await self._connection.one(_CHARGE, values)
        return SignInCharge(row["address"], row["allowed"], row["wait"] or 0.0)

    async def give_back(self, account: bytes, counter: bytes) -> None:
        """Removes one failure from a counter."""
        await self._connection.execute(_GIVE_BACK, {"account": account, "address": counter})

    async def succeeded(self, account: bytes, address: bytes, counter: bytes) -> None:
        """Marks the address as known for 30 days, and resets the counter that was charged."""
        await self._connection.execute(_SUCCEEDED, {"account": account, "address": address, "counter": counter})

    async def knows(self, account: bytes, address: bytes) -> bool:
        """Returns whether the account signed in from the address during the last 30 days."""
        return bool(await self._connection.scalar(_KNOWS, {"account": account, "address": address}))

    async def forgive(self, account: bytes) -> None:
        """Resets all failures of an account."""
        await self._connection.execute(_FORGIVE, {"account": account})
