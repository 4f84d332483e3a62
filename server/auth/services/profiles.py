"""What the holder of an account changes in it, and the confirmation of its address."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import AccountChange, User
from server.auth.rules.accounts import changed
from server.auth.services.current_password import CurrentPasswordCheck
from server.auth.services.email_confirmation import EmailConfirmation
from server.auth.storage.accounts import AccountRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import OtpInvalid, ValidationFailed
from server.identity import Caller, Role
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox

RecordPhone = Callable[[Transaction, UUID, str], Awaitable[UUID]]
"""Writes a patient's phone number into his record: transaction, user id, phone; answers the patient's id. The clinic
provides it."""


class ProfileService:
    """The use cases of holders.

    record_phone keeps a patient's record in step with his account.
    """

    def __init__(
        self,
        work: UnitOfWork,
        current_password: CurrentPasswordCheck,
        confirmation: EmailConfirmation,
        record_phone: RecordPhone,
    ) -> None:
        self._work = work
        self._current_password = current_password
        self._confirmation = confirmation
        self._record_phone = record_phone

    async def update(self, caller: Caller, change: AccountChange, address: str) -> User:
        """Change what is present in the account of the caller, who calls from that address.

        With the present password it may wait for a new e-mail address: its own stays until the code comes back, and
        its reader is told. Asking for its own ends the waiting. Raises ValidationFailed, PasswordWrong and
        RateLimitExceeded.
        """
        if change.email is None:
            async with self._work.begin() as tx:
                return await self._update(tx, caller, change)
        if not change.current_password:
            raise ValidationFailed.of("currentPassword", "is required for another e-mail address")
        known = await self._current_password.check(caller, change.current_password, address)
        await self._confirmation.admit(change.email.lower(), confirmed=known.credentials.user.email_confirmed)
        async with self._work.begin() as tx:
            user = await self._update(tx, caller, change)
            await self._current_password.locked(tx, known)
            return await self._await(tx, user, change.email.lower())

    async def confirm_email(self, caller: Caller, code: str) -> User:
        """Make the address that the caller's account waits for its own. Raises OtpInvalid and EmailTaken."""
        async with self._work.begin() as tx:
            waiting = await tx[AccountRepository].credentials_for_update(caller.user_id)
            user = await self._confirmation.confirmed(tx, waiting.user, code)
            if user is not None:
                await tx[AuditWriter].record(AuditEvent.EMAIL_CONFIRMED, user.subject)
        if user is None:  # raised here, behind the commit: the try counts
            raise OtpInvalid()
        return user

    async def _update(self, tx: Transaction, caller: Caller, change: AccountChange) -> User:
        """A patient's record is locked before his account, as everywhere."""
        before = await tx[AccountRepository].get(caller.user_id)
        after = changed(before, change)
        subject = before.subject
        if caller.role is Role.PATIENT and after.phone != before.phone:
            patient_id = await self._record_phone(tx, caller.user_id, after.phone)
            subject = replace(subject, patient_ids=(patient_id,))
        locked = await tx[AccountRepository].credentials_for_update(caller.user_id)
        await tx[AuditWriter].record(AuditEvent.ACCOUNT_UPDATED, subject)
        return await tx[AccountRepository].save(changed(locked.user, change))

    async def _await(self, tx: Transaction, user: User, email: str) -> User:
        if user.email_confirmed and email == user.email:
            return await tx[AccountRepository].await_email(user.id, None)
        waiting = await tx[AccountRepository].await_email(user.id, email)
        await self._confirmation.ask(tx, waiting, EmailKind.EMAIL_CODE)
        if user.email_confirmed:
            await tx[Outbox].add(NewEmail(EmailKind.EMAIL_CHANGE, user.id, user.email))
        return waiting
