"""Delays after failed sign-ins: each failure slows guessing down, without locking the owner out.

Failures are counted by a keyed hash of the email address, so that an address without an account is delayed like one
with. A client address from which the account signed in during the last 30 days has its own counter, so that other
clients cannot lock the owner out.

A try is charged as a failure before its password is checked, and refunded afterwards if it was none. The number of
passwords checked is therefore exact, regardless of the number of concurrent tries and processes.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil
from typing import Final
from weakref import WeakValueDictionary

from server.auth.password_hashing import LONGEST_WAIT_SECONDS
from server.auth.rules.one_time_codes import Asker
from server.auth.storage.sign_ins import FREE_FAILURES, SignInRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import RateLimitExceeded, ServerBusy, Unavailable

LIMIT: Final = "sign_in"
"""The limit that the error names."""
AT_ONCE: Final = FREE_FAILURES - 1
"""The number of tries of one account from one address that this process checks at once. More tries wait: the charges
of correct passwords that are still being checked must not delay the account."""
SHORT_WAIT_SECONDS: Final = 0.5
"""How long a try may wait for its turn and a connection before the wait counts; less than the shortest delay."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try that was allowed and charged."""

    account: bytes
    address: bytes
    counter: bytes
    """The address of the counter that was charged."""


class SignInAttempts:
    """Allows or delays password checks, and counts the failures; key: 32 bytes, for the hashes."""

    def __init__(self, work: UnitOfWork, key: bytes) -> None:
        self._work = work
        self._key = key
        self._turns = WeakValueDictionary[bytes, asyncio.Semaphore]()

    @asynccontextmanager
    async def counted(self, email: str, address: str, arrived: float | None = None) -> AsyncIterator[Attempt]:
        """Charges a try for an email (in lower case) from an address; the block checks the password.

        The charge stays unless `succeeded` or `give_back` removes it, or the block raises Unavailable, so that the
        password was not checked. arrived: the arrival time of the call by the monotonic clock; default now. Raises
        RateLimitExceeded while the account is delayed, and ServerBusy.
        """
        arrived = time.monotonic() if arrived is None else arrived
        account, place = self._hash("account", email), self._hash("address", address)
        async with self._turn(account + place):
            attempt = await self._charge(account, place, arrived)
            try:
                yield attempt
            except Unavailable:
                with suppress(Unavailable):
                    await self.give_back(attempt)
                raise

    async def give_back(self, attempt: Attempt) -> None:
        """Removes the charge of a try that was not a failure."""
        async with self._work.begin() as tx:
            await tx[SignInRepository].give_back(attempt.account, attempt.counter)

    async def succeeded(self, tx: Transaction, attempt: Attempt) -> None:
        """Resets the failures of the charged counter, and marks the address as known for 30 days."""
        await tx[SignInRepository].succeeded(attempt.account, attempt.address, attempt.counter)

    async def recognize(self, tx: Transaction, email: str, address: str) -> None:
        """Marks the address as known for 30 days after a second step; the password's own try was given back."""
        account, place = self._hash("account", email), self._hash("address", address)
        await tx[SignInRepository].succeeded(account, place, place)

    async def forgive(self, tx: Transaction, email: str) -> None:
        """Resets all failures after a new password was set, because the guesses were at the old one."""
        await tx[SignInRepository].forgive(self._hash("account", email))

    async def asker(self, tx: Transaction, email: str, address: str, nonce: str) -> Asker:
        """Returns the client that requests or tries a code for an email (in lower case); nonce: empty if none."""
        place = self._hash("address", address)
        known = await tx[SignInRepository].knows(self._hash("account", email), place)
        return Asker(place, self._hash("nonce", nonce) if nonce else None, known)

    async def _charge(self, account: bytes, place: bytes, arrived: float) -> Attempt:
        async with self._work.read() as tx:
            waited = max(0.0, time.monotonic() - arrived - SHORT_WAIT_SECONDS)
            charge = await tx[SignInRepository].charge(account, place, waited=waited)
        if not charge.allowed:
            raise RateLimitExceeded(retry_after=max(1, ceil(charge.wait_seconds)), limit=LIMIT)
        return Attempt(account, place, charge.counter)

    @asynccontextmanager
    async def _turn(self, key: bytes) -> AsyncIterator[None]:
        """Waits until fewer than AT_ONCE tries of the same account and address are being checked."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await turn.acquire()
        except TimeoutError:
            raise ServerBusy() from None
        try:
            yield
        finally:
            turn.release()

    def _hash(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{kind}|{value}".encode(), "sha256")
