"""Use cases of passwords: requesting a reset, resetting and changing them."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from server import email_address
from server.audit.events import AuditEvent, Outcome
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import Credentials, User, UserStatus
from server.auth.events import PasswordChanged
from server.auth.password_hashing import Passwords
from server.auth.rules.one_time_codes import CodeScope, Purpose
from server.auth.rules.passwords import check_new_password
from server.auth.rules.second_factors import FactorPolicy
from server.auth.services.current_password import CurrentPasswordCheck
from server.auth.services.factor_check import FactorCheck
from server.auth.services.one_time_codes import CodeService
from server.auth.services.revocation_cache import RevocationCache
from server.auth.services.sign_in_attempts import SignInAttempts
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.mailboxes import MailboxRepository
from server.auth.storage.second_factors import SecondFactorRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import NotFound, OtpInvalid, PasswordResetNeedsAdmin, RateLimitExceeded
from server.events.storage.events import EventRepository
from server.identity import Caller, Role
from server.outbox.entities import EmailKind

ANSWER_SECONDS: Final = 0.1
"""The minimum duration of unauthenticated calls about an account, longer than the slowest path takes, so that the
response time does not reveal whether the account exists."""
_NEW: Final = "newPassword"


@dataclass(frozen=True, slots=True)
class _NewPassword:
    email: str
    """In lower case."""
    password: str = field(repr=False)
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Asking:
    """The emailed code, and the client that sends it."""

    code: str = field(repr=False)
    address: str
    nonce: str = field(repr=False)


class _FactorNeeded(Exception):
    """The emailed code is right, and the account has a second factor."""

    def __init__(self, user: User) -> None:
        super().__init__()
        self.user = user


class PasswordService:
    """Implements the use cases of passwords; answer_seconds: ANSWER_SECONDS, except in tests."""

    def __init__(
        self,
        work: UnitOfWork,
        passwords: Passwords,
        codes: CodeService,
        attempts: SignInAttempts,
        current_password: CurrentPasswordCheck,
        revocations: RevocationCache,
        factor_check: FactorCheck,
        policy: FactorPolicy,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._work = work
        self._passwords = passwords
        self._codes = codes
        self._attempts = attempts
        self._current_password = current_password
        self._revocations = revocations
        self._factor_check = factor_check
        self._policy = policy
        self._answer_seconds = answer_seconds

    async def forgot(self, email: str, address: str = "", nonce: str = "") -> None:
        """Emails a code to the account of an address, if it exists, is active and did not get too many codes today.

        address, nonce: identify the requesting client when it sends the code later. Earlier codes stay valid, so that a
        stranger's request does not invalidate the owner's code.
        """
        async with self._no_sooner(), self._work.begin() as tx:
            known = await _open_account(tx, email_address.normal(email))
            if known is not None:
                scope = await self._scope(tx, known.user, address, nonce)
                with suppress(RateLimitExceeded):
                    await self._codes.send(tx, known.user, scope, EmailKind.PASSWORD_RESET)
                await tx[AuditWriter].record(AuditEvent.PASSWORD_RESET_REQUESTED, known.user.subject)

    async def reset(
        self, email: str, code: str, password: str, address: str = "", nonce: str = "", factor_code: str = ""
    ) -> None:
        """Sets a new password with a code from an email, and ends all sessions.

        address, nonce: those of the client, as passed to `forgot`. factor_code: a code of the account's second factor,
        if it has one. Raises OtpInvalid, also for an unknown address; PasswordBreached, PasswordContext,
        ValidationFailed, SecondFactorInvalid, RateLimitExceeded or PasswordResetNeedsAdmin, after which the emailed
        code is still valid.
        """
        check_new_password(password, email, field=_NEW)
        async with self._no_sooner():
            new = _NewPassword(email_address.normal(email), password, await self._passwords.hash(password))
            asker = _Asking(code, address, nonce)
            try:
                ended = await self._reset(new, asker, proved=False)
            except _FactorNeeded as needed:  # rolled back, so that the emailed code is still valid
                async with self._factor_check.proved(needed.user, factor_code, address, field="secondFactorCode"):
                    pass
                ended = await self._reset(new, asker, proved=True)
        self._revocations.revoked(*ended)

    async def _reset(self, new: "_NewPassword", asking: "_Asking", *, proved: bool) -> set[UUID]:
        """Sets the new password if the emailed code is right, and returns the sessions that end.

        proved: the account's second factor was verified. Raises _FactorNeeded, PasswordResetNeedsAdmin, OtpInvalid.
        """
        async with self._work.begin() as tx:
            known = await _open_account(tx, new.email)
            right = known is not None and await self._codes.use(
                tx, await self._scope(tx, known.user, asking.address, asking.nonce), asking.code
            )
            if known is not None and right:
                self._check_permitted(known, proved=proved)
                check_new_password(new.password, new.email, known.user.full_name, field=_NEW)
                await tx[MailboxRepository].confirm(known.user.id)
                ended = await self._replace(tx, known.user, new.password_hash)
                await self._attempts.forgive(tx, known.user.email)
                await tx[AuditWriter].record(AuditEvent.PASSWORD_RESET, known.user.subject)
            elif known is not None:
                await tx[AuditWriter].record(
                    AuditEvent.PASSWORD_RESET, known.user.subject, outcome=Outcome.FAILURE, reason=OtpInvalid.reason
                )
        if not right:  # raised after the commit, so that the try counts
            raise OtpInvalid()
        return ended

    def _check_permitted(self, known: Credentials, *, proved: bool) -> None:
        """Refuses a new password for which an emailed code alone is not enough."""
        if known.has_second_factor:
            if not proved:
                raise _FactorNeeded(known.user)
            return
        invited = known.password_hash is None
        if self._policy.requires(known.user.role) and not invited and not known.reset_allowed:
            raise PasswordResetNeedsAdmin()

    async def change(self, caller: Caller, present: str, password: str, address: str) -> None:
        """Sets a new password after checking the current one, and ends the caller's other sessions.

        Raises PasswordWrong, RateLimitExceeded, PasswordBreached, PasswordContext and ValidationFailed.
        """
        known = await self._current_password.check(caller, present, address)
        user = known.credentials.user
        check_new_password(password, user.email, user.full_name, field=_NEW)
        password_hash = await self._passwords.hash(password)
        async with self._work.begin() as tx:
            current = await self._current_password.locked(tx, known)
            ended = await self._replace(tx, current.user, password_hash, but=caller.session_id)
            await tx[AuditWriter].record(AuditEvent.PASSWORD_CHANGED, current.user.subject)
        self._revocations.revoked(*ended)

    async def replace_for_admin(self, email: str) -> str:
        """Gives an active admin a generated password and ends all their sessions; returns the password.

        Only for the operator's command, which needs neither the current password nor a code: whoever runs it can write
        to the database. Raises NotFound for any other account.
        """
        password = secrets.token_urlsafe(15)
        password_hash = await self._passwords.hash(password)
        async with self._work.begin() as tx:
            known = await _open_account(tx, email_address.normal(email))
            if known is None or known.user.role is not Role.ADMIN:
                raise NotFound("admin")
            ended = await self._replace(tx, known.user, password_hash)
            await self._attempts.forgive(tx, known.user.email)
            await tx[AuditWriter].record(AuditEvent.PASSWORD_RESET, known.user.subject)
        self._revocations.revoked(*ended)
        return password

    async def _scope(self, tx: Transaction, user: User, address: str, nonce: str) -> CodeScope:
        asker = await self._attempts.asker(tx, user.email, address, nonce)
        return CodeScope(user.id, Purpose.PASSWORD_RESET, asker=asker)

    @staticmethod
    async def _replace(tx: Transaction, user: User, password_hash: str, but: UUID | None = None) -> set[UUID]:
        """Stores the hash of a locked account's new password and returns the sessions that end."""
        await tx[AccountRepository].replace_password_hash(user.id, password_hash)
        await tx[AccountRepository].allow_password_reset(user.id, timedelta(0))
        await tx[SecondFactorRepository].end_challenges(user.id)
        await tx[EventRepository].record(PasswordChanged(user))
        return set(await tx[SessionRepository].end_all(user.id, but=but))

    @asynccontextmanager
    async def _no_sooner(self) -> AsyncIterator[None]:
        """Delays the end of the block, also on errors, until `answer_seconds` after its start."""
        earliest = time.monotonic() + self._answer_seconds
        try:
            yield
        finally:
            await asyncio.sleep(earliest - time.monotonic())


async def _open_account(tx: Transaction, email: str) -> Credentials | None:
    """Locks and returns the account of an address; None if there is none or it is deactivated."""
    found = await tx[AccountRepository].credentials(email)
    if found is None:
        return None
    locked = await tx[AccountRepository].credentials_for_update(found.user.id)
    return None if locked.user.status is UserStatus.DEACTIVATED else locked
