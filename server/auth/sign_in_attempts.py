"""Guessing at one account gets slower with each failure, and never impossible for its owner.

Counted by a keyed hash of the e-mail, so that an address without an account is delayed just like one with. Where the
account signed in during the last 30 days it has a counter of its own: others cannot keep the owner out.
"""

import hmac
from dataclasses import dataclass
from math import ceil

from server.auth.sign_in_repository import Admission
from server.errors import RateLimitExceeded
from server.unit_of_work import Transaction, UnitOfWork

LIMIT = "sign_in"
"""What the refusal names as its limit."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A check of a password that was let through."""

    account: bytes
    address: bytes
    admission: Admission


class SignInAttempts:
    """Lets checks of passwords through, and counts those that fail; key: 32 bytes, for the hashes."""

    def __init__(self, work: UnitOfWork, key: bytes) -> None:
        self._work = work
        self._key = key

    async def admit(self, email: str, address: str) -> Attempt:
        """Begin a check for an e-mail (in lower case) from an address. Raises RateLimitExceeded while it is delayed."""
        account, place = self._hash("account", email), self._hash("address", address)
        async with self._work.read() as tx:
            admission = await tx.sign_ins.admit(account, place)
        if admission.wait_seconds > 0:
            raise RateLimitExceeded(retry_after=max(1, ceil(admission.wait_seconds)), limit=LIMIT)
        return Attempt(account, place, admission)

    async def failed(self, attempt: Attempt) -> None:
        """The password was wrong, or opened nothing."""
        if not attempt.admission.counted:
            async with self._work.begin() as tx:
                await tx.sign_ins.failed(attempt.account, attempt.admission.counter)

    async def succeeded(self, tx: Transaction, attempt: Attempt) -> None:
        """The password was right."""
        await tx.sign_ins.succeeded(attempt.account, attempt.address, attempt.admission.counter)

    async def forgive(self, tx: Transaction, email: str) -> None:
        """The owner of the e-mail has set a new password: guesses at the old one do not count any more."""
        await tx.sign_ins.forgive(self._hash("account", email))

    def _hash(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{kind}|{value}".encode(), "sha256")
