"""Use cases of the email address of a patient record: doctors bind one, and detach a wrong one."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from server import email_address
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import NewAccount, User, UserStatus
from server.auth.services.accounts import AccountService
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.mailboxes import MailboxRepository
from server.auth.storage.one_time_codes import OneTimeCodeRepository
from server.auth.storage.sessions import SessionRepository
from server.clinical.entities import Patient
from server.clinical.patient_entities import EmailDetachReason
from server.clinical.rules.email_addresses import Detachment, check_unbound, next_step
from server.clinical.rules.identification import check_identified
from server.clinical.storage.email_detachments import EmailDetachmentRepository
from server.clinical.storage.patients import PatientRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import PatientHasNoEmail
from server.identity import Caller, Role
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox

_EVENTS: Final = {
    Detachment.REQUESTED: AuditEvent.PATIENT_EMAIL_DETACH_REQUESTED,
    Detachment.WAITING: AuditEvent.PATIENT_EMAIL_DETACH_REQUESTED,
    Detachment.DONE: AuditEvent.PATIENT_EMAIL_DETACHED,
}


class PatientEmailService:
    """The use cases of the email addresses of patient records.

    requires_identification: patients must be identified before an address is bound, because its owner gets an email.
    """

    def __init__(self, work: UnitOfWork, revocations: RevocationCache, *, requires_identification: bool = True) -> None:
        self._work = work
        self._requires_identification = requires_identification
        self._revocations = revocations

    async def bind(self, caller: Caller, patient_id: UUID, email: str) -> Patient:
        """Binds an address to a record without one and invites its owner.

        Raises NotFound, PatientHasEmail, PatientNotIdentified and EmailTaken.
        """
        async with self._work.begin() as tx:
            patient = await tx[PatientRepository].get_for_update(patient_id)
            check_unbound(patient)
            check_identified(patient.identification is not None, required=self._requires_identification)
            user = await open_account(tx, email, patient.full_name, patient.phone)
            await tx[AuditWriter].record(AuditEvent.PATIENT_EMAIL_BOUND, _subject(patient))
            return await tx[PatientRepository].save(replace(patient, user_id=user.id), caller.user_id)

    async def detach(self, caller: Caller, patient_id: UUID, reason: EmailDetachReason) -> Patient:
        """Detaches a record's address at once, or after a second doctor's call if its owner had confirmed it.

        Raises NotFound and PatientHasNoEmail.
        """
        ended: set[UUID] = set()
        async with self._work.begin() as tx:
            patient = await tx[PatientRepository].get_for_update(patient_id)
            if patient.user_id is None:
                raise PatientHasNoEmail()
            user = (await tx[AccountRepository].credentials_for_update(patient.user_id)).user
            step = next_step(patient, caller.user_id)
            if step is Detachment.REQUESTED:
                await tx[EmailDetachmentRepository].request(patient.id, user.id, reason, caller.user_id)
                await tx[Outbox].add(NewEmail(EmailKind.EMAIL_DETACHMENT, user.id, user.email))
            elif step is Detachment.DONE:
                ended = await self._detach(tx, patient, user, caller)
            await tx[AuditWriter].record(_EVENTS[step], _subject(patient), reason=reason.name)
            changed = await tx[PatientRepository].get(patient.id)
        self._revocations.revoked(*ended)
        return changed

    @staticmethod
    async def _detach(tx: Transaction, patient: Patient, user: User, caller: Caller) -> set[UUID]:
        """Ends everything that the mailbox gave access to; returns the sessions that end."""
        await tx[EmailDetachmentRepository].carry_out(patient.id, caller.user_id)
        await tx[MailboxRepository].detach(user.id)
        await tx[OneTimeCodeRepository].end_all(user.id)
        await tx[Outbox].end_all(user.id)
        await tx[PatientRepository].save(replace(patient, user_id=None), caller.user_id)
        return set(await tx[SessionRepository].end_all(user.id))


async def open_account(tx: Transaction, email: str, full_name: str, phone: str) -> User:
    """Creates the account of an address that staff entered; its owner has not confirmed it. Raises EmailTaken."""
    account = NewAccount(
        email=email_address.normal(email),
        password_hash=None,
        full_name=full_name,
        phone=phone,
        role=Role.PATIENT,
        status=UserStatus.ACTIVE,
    )
    return await AccountService.open(tx, account)


def _subject(patient: Patient) -> Subject:
    return Subject("patient", patient.id, (patient.id,))
