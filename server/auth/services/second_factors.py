"""Use cases of second factors: adding, removing and verifying them, and resetting those of another account."""

from datetime import datetime, timedelta
from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import NewApp, SecondFactor, SecondFactors, User
from server.auth.events import FactorChange, SecondFactorChanged
from server.auth.factor_seal import FactorSeal
from server.auth.rules.second_factors import (
    MAX_FACTORS,
    PASSWORD_RESET_ALLOWED_FOR,
    FactorPolicy,
    app_address,
    base32,
    new_recovery_codes,
    new_secret,
    recovery_hash,
)
from server.auth.services.current_password import CurrentPasswordCheck
from server.auth.services.factor_check import FactorCheck
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.second_factors import SecondFactorRepository
from server.auth.storage.sessions import SessionRepository
from server.clock import Clock
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import LastSecondFactor, OwnAccount, SecondFactorLimit, SecondFactorMissing
from server.events.storage.events import EventRepository
from server.identity import Caller

RESET_ALLOWED = "password-reset-allowed"
"""The reason in the audit record of a reset that also allows a new password."""


class SecondFactorService:
    """Implements the use cases of second factors."""

    def __init__(
        self,
        work: UnitOfWork,
        current_password: CurrentPasswordCheck,
        check: FactorCheck,
        seal: FactorSeal,
        policy: FactorPolicy,
        revocations: RevocationCache,
        clock: Clock,
    ) -> None:
        self._work = work
        self._current_password = current_password
        self._check = check
        self._seal = seal
        self._policy = policy
        self._revocations = revocations
        self._clock = clock

    async def overview(self, caller: Caller) -> SecondFactors:
        """Returns the caller's factors, and whether the account must have one."""
        async with self._work.read() as tx:
            factors = await tx[SecondFactorRepository].all_of(caller.user_id)
            left = await tx[SecondFactorRepository].recovery_codes_left(caller.user_id)
            state = await tx[SecondFactorRepository].state(caller.user_id, caller.session_id)
        required = self._policy.requires(caller.role)
        due = None if factors or not required else self._clock.now() - state.without_for + self._policy.grace
        return SecondFactors(factors, left, required, due)

    async def enrol_app(self, caller: Caller, password: str, label: str, address: str) -> NewApp:
        """Stores an authenticator app that works after `confirm_app`; address: the client address of the call.

        Raises PasswordWrong, RateLimitExceeded and SecondFactorLimit.
        """
        known = await self._current_password.check(caller, password, address)
        secret, factor_id = new_secret(), new_id()
        async with self._work.begin() as tx:
            current = await self._current_password.locked(tx, known)
            if len(await tx[SecondFactorRepository].all_of(caller.user_id)) >= MAX_FACTORS:
                raise SecondFactorLimit()
            sealed = self._seal.close(secret, factor_id)
            await tx[SecondFactorRepository].add_app(factor_id, caller.user_id, label, sealed)
            await tx[AuditWriter].record(AuditEvent.SECOND_FACTOR_ENROLMENT_STARTED, current.user.subject)
        return NewApp(factor_id, base32(secret), app_address(secret, current.user.email))

    async def confirm_app(
        self, caller: Caller, factor_id: UUID, code: str, address: str
    ) -> tuple[SecondFactor, tuple[str, ...]]:
        """Makes an app work with its first code. Returns it, and the recovery codes if it is the first factor.

        Sessions that were opened without a factor end. Raises NotFound, SecondFactorInvalid and RateLimitExceeded.
        """
        async with self._work.read() as tx:
            app = await tx[SecondFactorRepository].unconfirmed(caller.user_id, factor_id)
            user = await tx[AccountRepository].get(caller.user_id)
        codes: tuple[str, ...] = ()
        ended: set[UUID] = set()
        async with self._check.confirmed(user, app, code, address) as (tx, step):
            await tx[SecondFactorRepository].unconfirmed(caller.user_id, factor_id)  # no concurrent call was faster
            first = not await tx[SecondFactorRepository].all_of(caller.user_id)
            factor = await tx[SecondFactorRepository].confirm(factor_id, step)
            if first:
                codes = await self._renew(tx, caller.user_id)
                ended = set(await tx[SessionRepository].end_all(caller.user_id, but=caller.session_id))
            await tx[SecondFactorRepository].verified(caller.session_id)
            await self._record(tx, user, AuditEvent.SECOND_FACTOR_ADDED, FactorChange.ADDED)
        self._revocations.revoked(*ended)
        return factor, codes

    async def remove(self, caller: Caller, factor_id: UUID) -> None:
        """Removes a factor; with the last one the recovery codes end. Raises NotFound and LastSecondFactor."""
        async with self._work.begin() as tx:
            current = await tx[AccountRepository].credentials_for_update(caller.user_id)
            await tx[SecondFactorRepository].remove(caller.user_id, factor_id)
            if not await tx[SecondFactorRepository].all_of(caller.user_id):
                if self._policy.requires(caller.role):
                    raise LastSecondFactor()
                await tx[SecondFactorRepository].remove_all(caller.user_id)
            await self._record(tx, current.user, AuditEvent.SECOND_FACTOR_REMOVED, FactorChange.REMOVED)

    async def renew_recovery_codes(self, caller: Caller) -> tuple[str, ...]:
        """Replaces the caller's recovery codes and returns the new ones. Raises SecondFactorMissing."""
        async with self._work.begin() as tx:
            current = await tx[AccountRepository].credentials_for_update(caller.user_id)
            if not current.has_second_factor:
                raise SecondFactorMissing()
            codes = await self._renew(tx, caller.user_id)
            await tx[AuditWriter].record(AuditEvent.RECOVERY_CODES_RENEWED, current.user.subject)
        return codes

    async def verify(self, caller: Caller, code: str, address: str) -> datetime:
        """Verifies a factor in the caller's session. Returns until when step-ups accept it.

        Raises SecondFactorInvalid and RateLimitExceeded.
        """
        async with self._work.read() as tx:
            user = await tx[AccountRepository].get(caller.user_id)
        async with self._check.proved(user, code, address) as (tx, _):
            until = await tx[SecondFactorRepository].verified(caller.session_id)
            await tx[AuditWriter].record(AuditEvent.SECOND_FACTOR_VERIFIED, user.subject)
        return until

    async def reset(self, caller: Caller, user_id: UUID, *, allow_password_reset: bool) -> int:
        """Removes the factors of another account and ends its sessions. Returns how many sessions ended.

        allow_password_reset: whether an emailed code alone may set a new password for a day; False ends an earlier
        permission. Raises OwnAccount and NotFound.
        """
        if user_id == caller.user_id:
            raise OwnAccount("You cannot reset the second factors of your own account.")
        async with self._work.begin() as tx:
            user = await tx[AccountRepository].get(user_id)
            await tx[AccountRepository].credentials_for_update(user_id)
            await tx[SecondFactorRepository].remove_all(user_id)
            allowed_for = PASSWORD_RESET_ALLOWED_FOR if allow_password_reset else timedelta(0)
            await tx[AccountRepository].allow_password_reset(user_id, allowed_for)
            ended = await tx[SessionRepository].end_all(user_id)
            await tx[EventRepository].record(SecondFactorChanged(user, FactorChange.RESET))
            reason = RESET_ALLOWED if allow_password_reset else ""
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_SECOND_FACTORS_RESET, user.subject, reason=reason)
        self._revocations.revoked(*ended)
        return len(ended)

    async def _renew(self, tx: Transaction, user_id: UUID) -> tuple[str, ...]:
        codes = new_recovery_codes()
        hashes = [recovery_hash(user_id, code) for code in codes]
        await tx[SecondFactorRepository].replace_recovery_codes(user_id, hashes)
        return codes

    @staticmethod
    async def _record(tx: Transaction, user: User, event: AuditEvent, change: FactorChange) -> None:
        await tx[EventRepository].record(SecondFactorChanged(user, change))
        await tx[AuditWriter].record(event, user.subject)
