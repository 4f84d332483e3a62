"""Use cases of one's own account: changing it, and confirming its email address."""

from collections.abc import Awaitable, Callable, Set
from dataclasses import replace
from uuid import UUID

from server import email_address
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import AccountChange, User, UserStatus
from server.auth.rules.accounts import changed, changed_fields, loses_verification
from server.auth.services.current_password import CurrentPasswordCheck
from server.auth.services.email_changes import EmailChangeService
from server.auth.services.email_confirmation import EmailConfirmation
from server.auth.services.factor_gate import FactorGate
from server.auth.services.revocation_cache import RevocationCache
from server.auth.services.staff_notices import notify_admins
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.acting import ActingRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import OtpInvalid, ValidationFailed
from server.identity import Caller, Role
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox

RecordPhone = Callable[[Transaction, UUID, str], Awaitable[UUID]]
"""Stores a phone number in a patient's record and returns the patient's id. Arguments: transaction, user id, phone.

The clinical slice provides it.
"""

WorkplaceLeft = Callable[[Transaction, UUID], Awaitable[None]]
"""Ends what an account holds when its owner changes the workplace, in the same transaction.

The pharmacy slice provides it.
"""


class ProfileService:
    """Implements the use cases of one's own account.

    record_phone: copies a changed phone number to the patient's record. workplace_left: ends the claims of a pharmacist
    who changes the workplace.
    """

    def __init__(
        self,
        work: UnitOfWork,
        current_password: CurrentPasswordCheck,
        confirmation: EmailConfirmation,
        email_changes: EmailChangeService,
        record_phone: RecordPhone,
        workplace_left: WorkplaceLeft,
        gate: FactorGate,
        revocations: RevocationCache,
    ) -> None:
        self._work = work
        self._current_password = current_password
        self._confirmation = confirmation
        self._email_changes = email_changes
        self._record_phone = record_phone
        self._workplace_left = workplace_left
        self._revocations = revocations
        self._gate = gate

    async def update(self, caller: Caller, change: AccountChange, address: str) -> User:
        """Changes the given fields of the caller's account; address: the client address of the call.

        A new email address requires the current password and a confirmation: the former address stays until the code
        is entered, and is notified. Requesting the current address again cancels the change. A changed workplace makes
        the account wait for an admin's verification again, and ends its memberships, claims and sessions. Raises
        ValidationFailed, PasswordWrong and RateLimitExceeded, and for a new address StepUpRequired.
        """
        user, ended = await self._change(caller, change, address)
        self._revocations.revoked(*ended)
        if user.status is UserStatus.UNVERIFIED:
            self._revocations.unverified(user.id)
        return user

    async def _change(self, caller: Caller, change: AccountChange, address: str) -> tuple[User, Set[UUID]]:
        if change.email is None:
            async with self._work.begin() as tx:
                return await self._update(tx, caller, change)
        if not change.current_password:
            raise ValidationFailed.of("currentPassword", "is required to change the email address")
        async with self._work.read() as tx:
            await self._gate.require_step_up(tx, caller)
        known = await self._current_password.check(caller, change.current_password, address)
        email = email_address.normal(change.email)
        await self._confirmation.admit(email, confirmed=known.credentials.user.email_confirmed)
        async with self._work.begin() as tx:
            user, ended = await self._update(tx, caller, change)
            await self._current_password.locked(tx, known)
            return await self._await(tx, user, email), ended

    async def confirm_email(self, caller: Caller, code: str) -> User:
        """Confirms the new address of the caller's account with a code, and notifies the former address.

        Raises OtpInvalid and EmailTaken.
        """
        async with self._work.begin() as tx:
            waiting = await tx[AccountRepository].credentials_for_update(caller.user_id)
            user = await self._confirmation.confirmed(tx, waiting.user, code)
            if user is not None and waiting.user.email_confirmed:
                await self._email_changes.notify_former(tx, user, waiting.user.email)
            if user is not None and not waiting.user.email_confirmed:
                await notify_admins(tx, user)
            if user is not None:
                await tx[AuditWriter].record(AuditEvent.EMAIL_CONFIRMED, user.subject)
        if user is None:  # raised after the commit, so that the try counts
            raise OtpInvalid()
        return user

    async def _update(self, tx: Transaction, caller: Caller, change: AccountChange) -> tuple[User, Set[UUID]]:
        """Saves the changed fields, and returns the account and the sessions that ended.

        Locks a patient's record before the account, the order used everywhere.
        """
        before = await tx[AccountRepository].get(caller.user_id)
        after = changed(before, change)
        subject = before.subject
        if caller.role is Role.PATIENT and after.phone != before.phone:
            patient_id = await self._record_phone(tx, caller.user_id, after.phone)
            subject = replace(subject, patient_ids=(patient_id,))
        locked = await tx[AccountRepository].credentials_for_update(caller.user_id)
        after = changed(locked.user, change)
        names = changed_fields(locked.user, after)
        await tx[AuditWriter].record(AuditEvent.ACCOUNT_UPDATED, subject, reason=names)
        saved = await tx[AccountRepository].save(after)
        return await self._unverify(tx, saved) if loses_verification(locked.user, after) else (saved, frozenset())

    async def _unverify(self, tx: Transaction, user: User) -> tuple[User, Set[UUID]]:
        """Lets a locked account wait for an admin again, and ends what it did for its former workplace."""
        for organisation_id in await tx[ActingRepository].unverify(user.id):
            await tx[AuditWriter].record(AuditEvent.MEMBERSHIP_ENDED, user.subject, reason=str(organisation_id))
        await self._workplace_left(tx, user.id)
        return replace(user, status=UserStatus.UNVERIFIED), await tx[SessionRepository].end_all(user.id)

    async def _await(self, tx: Transaction, user: User, email: str) -> User:
        if user.email_confirmed and email == user.email:
            return await tx[AccountRepository].await_email(user.id, None)
        waiting = await tx[AccountRepository].await_email(user.id, email)
        await self._confirmation.ask(tx, waiting, EmailKind.EMAIL_CODE)
        if user.email_confirmed:
            await tx[Outbox].add(NewEmail(EmailKind.EMAIL_CHANGE, user.id, user.email))
        return waiting
