"""The check of the current password, which signed-in users must enter before they change their credentials."""

import time
from dataclasses import dataclass

from server.auth.entities import Credentials
from server.auth.password_hashing import Passwords
from server.auth.services.sign_in_attempts import Attempt, SignInAttempts
from server.auth.storage.accounts import AccountRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import PasswordWrong
from server.identity import Caller


@dataclass(frozen=True, slots=True)
class VerifiedPassword:
    """The credentials and the sign-in attempt of a password that was correct."""

    credentials: Credentials
    attempt: Attempt


class CurrentPasswordCheck:
    """Checks the current password; a wrong one counts as a failed sign-in."""

    def __init__(self, work: UnitOfWork, passwords: Passwords, attempts: SignInAttempts) -> None:
        self._work = work
        self._passwords = passwords
        self._attempts = attempts

    async def check(self, caller: Caller, password: str, address: str) -> VerifiedPassword:
        """Checks the password of a call from an address.

        Raises PasswordWrong, and RateLimitExceeded while the account is delayed.
        """
        arrived = time.monotonic()
        async with self._work.read() as tx:
            found = await tx[AccountRepository].credentials_of(caller.user_id)
        async with self._attempts.counted(found.user.sign_in_name, address, arrived) as attempt:
            if not (await self._passwords.check(password, found.password_hash)).matches:
                raise PasswordWrong()
            await self._attempts.give_back(attempt)  # the change itself may still be refused
        return VerifiedPassword(found, attempt)

    async def locked(self, tx: Transaction, known: VerifiedPassword) -> Credentials:
        """Locks and returns the account. Raises PasswordWrong if its password has changed since the check."""
        current = await tx[AccountRepository].credentials_for_update(known.credentials.user.id)
        if current.password_hash != known.credentials.password_hash:
            raise PasswordWrong()
        await self._attempts.succeeded(tx, known.attempt)
        return current
