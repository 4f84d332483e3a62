"""Use cases of a prescription's current QR code: its patient and its doctor show, replace and email it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.clinical.entities import Prescription
from server.clinical.rules import prescribing
from server.clinical.rules.identification import check_identified
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.clinical.storage.qr_codes import QrCodeRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.identity import Caller
from server.outbox.entities import EmailKind
from server.outbox.storage.outbox import EMAILS_PER_DAY, Outbox

LEAST_LIFE_IN_MAIL: Final = timedelta(hours=24)
"""A code that expires sooner is replaced before it is emailed."""


@dataclass(frozen=True, slots=True)
class ShownQrCode:
    """A prescription with the text and the picture of its current code; anyone who sees either can use the code."""

    prescription: Prescription
    text: str
    png: bytes


class QrCodeService:
    """The use cases of QR codes; raises NotFound for all but the prescription's patient and doctor.

    emails_per_day: daily number of emails to a patient above which further requests are rejected.
    requires_identification: patients must be identified before an email.
    """

    def __init__(
        self,
        work: UnitOfWork,
        issuer: QrIssuer,
        pictures: QrPictures,
        emails_per_day: int = EMAILS_PER_DAY,
        *,
        requires_identification: bool = True,
    ) -> None:
        self._work = work
        self._issuer = issuer
        self._pictures = pictures
        self._emails_per_day = emails_per_day
        self._requires_identification = requires_identification

    async def show(self, caller: Caller, prescription_id: UUID) -> ShownQrCode:
        """Returns the current code as text and picture. Raises NotFound."""
        async with self._work.read() as tx:
            prescription = await tx[PrescriptionRepository].read_code_of_reader(prescription_id, caller.user_id)
        if not self._issuer.can_read(prescription.qr_code):
            prescription = await self._renew_code(caller, prescription_id)
        text = self._issuer.text(prescription.qr_code)
        png = await self._pictures.png(prescription.qr_code.qr_hash, text)
        return ShownQrCode(prescription, text, png)

    async def reissue(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Replaces the current code. Raises NotFound and the errors of final states."""
        async with self._work.begin() as tx:
            prescription = await tx[PrescriptionRepository].of_reader_for_update(prescription_id, caller.user_id)
            prescribing.check_not_suspended(prescription)
            return await self._replace_code(tx, prescription)

    async def send_by_mail(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Emails the prescription to its patient, with a code that is valid for at least another day if possible.

        Raises NotFound, PatientNotIdentified, PatientHasNoEmail, RecipientDeactivated, EmailLimitExceeded and the
        errors of final states.
        """
        async with self._work.begin() as tx:
            prescription = await tx[PrescriptionRepository].of_reader_for_update(prescription_id, caller.user_id)
            prescribing.check_not_suspended(prescription)
            check_identified(prescription.patient_identified, required=self._requires_identification)
            mail = prescribing.mail_to_patient(EmailKind.PRESCRIPTION, prescription)
            await tx[Outbox].check_room(mail.recipient_id, self._emails_per_day)
            code = prescription.qr_code
            if code.expires_at < prescription.as_of + LEAST_LIFE_IN_MAIL or not self._issuer.can_read(code):
                prescription = await self._replace_code(tx, prescription)
            await tx[Outbox].add(mail)
            await tx[AuditWriter].record(AuditEvent.PRESCRIPTION_MAILED, prescribing.subject_of(prescription))
        return prescription

    async def _renew_code(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Replaces a code whose key is gone, unless a concurrent call has already replaced it."""
        async with self._work.begin() as tx:
            prescription = await tx[PrescriptionRepository].of_reader_for_update(prescription_id, caller.user_id)
            if self._issuer.can_read(prescription.qr_code):
                return prescription
            return await self._replace_code(tx, prescription)

    async def _replace_code(self, tx: Transaction, prescription: Prescription) -> Prescription:
        code = self._issuer.issue(
            prescription.id, prescription.as_of, prescription.expires_at, prescription.later_validity
        )
        await tx[QrCodeRepository].replace(code)
        await tx[AuditWriter].record(AuditEvent.QR_CODE_REISSUED, prescribing.subject_of(prescription))
        return replace(prescription, qr_code=code)
