"""The check of a second factor, counted like that of a password."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from server.auth.entities import AppSecret, Credentials, User
from server.auth.factor_seal import FactorSeal, SecretUnreadable
from server.auth.rules.second_factors import is_app_code, matching_step, recovery_hash
from server.auth.services.sign_in_attempts import SignInAttempts
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.second_factors import SecondFactorRepository
from server.clock import Clock
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import SecondFactorInvalid

_log = structlog.get_logger()


class FactorCheck:
    """Checks codes of second factors. Tries are charged before they are checked, to a counter of their own per account.

    A right password therefore never resets the wrong codes, and only those who know it can delay the second step.
    """

    def __init__(self, work: UnitOfWork, attempts: SignInAttempts, seal: FactorSeal, clock: Clock) -> None:
        self._work = work
        self._attempts = attempts
        self._seal = seal
        self._clock = clock

    @asynccontextmanager
    async def proved(
        self, user: User, code: str, address: str, *, field: str = "code"
    ) -> AsyncIterator[tuple[Transaction, Credentials]]:
        """Yields the transaction in which a right code is used up, with the locked account.

        address: the client address of the call. field: the JSON name of the code's field. Raises SecondFactorInvalid,
        and RateLimitExceeded while the account is delayed.
        """
        async with self._charged(user, address) as (tx, current):
            if not await self._use(tx, user, code):
                raise SecondFactorInvalid(field)
            yield tx, current

    @asynccontextmanager
    async def confirmed(
        self, user: User, app: AppSecret, code: str, address: str
    ) -> AsyncIterator[tuple[Transaction, int]]:
        """Yields a transaction with the locked account, and the time step of the first code of a new app.

        Raises SecondFactorInvalid, and RateLimitExceeded while the account is delayed.
        """
        async with self._charged(user, address) as (tx, _):
            secret, _ = self._seal.open(app.sealed, app.factor_id)
            step = matching_step(secret, code, self._clock.now(), app.last_step)
            if step is None:
                raise SecondFactorInvalid()
            yield tx, step

    @asynccontextmanager
    async def _charged(self, user: User, address: str) -> AsyncIterator[tuple[Transaction, Credentials]]:
        """Yields a transaction with the locked account for one try, which has succeeded if the block raises nothing."""
        async with self._attempts.counted(f"second factor {user.id}", address) as attempt, self._work.begin() as tx:
            yield tx, await tx[AccountRepository].credentials_for_update(user.id)
            await self._attempts.succeeded(tx, attempt)

    async def _use(self, tx: Transaction, user: User, code: str) -> bool:
        """Uses up a code of a locked account; returns False if it is wrong or was used."""
        if not is_app_code(code):
            return await tx[SecondFactorRepository].use_recovery_code(user.id, recovery_hash(user.id, code))
        for app in await tx[SecondFactorRepository].secrets(user.id):
            if await self._use_app(tx, app, code):
                return True
        return False

    async def _use_app(self, tx: Transaction, app: AppSecret, code: str) -> bool:
        """Uses up a code of an app; a secret that is sealed under a former key is sealed under the current one."""
        try:
            secret, former = self._seal.open(app.sealed, app.factor_id)
        except SecretUnreadable:  # the ring lacks its key: the owner needs a recovery code or an admin
            _log.error("second_factor_unreadable", factor_id=str(app.factor_id))
            return False
        step = matching_step(secret, code, self._clock.now(), app.last_step)
        if step is None:
            return False
        sealed = self._seal.close(secret, app.factor_id) if former else app.sealed
        return await tx[SecondFactorRepository].use_step(app.factor_id, step, sealed)
