"""Composes an email from a row of the queue: loads the records, renders the templates, draws the QR code."""

import json
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from server.auth.entities import User, UserStatus
from server.auth.storage.accounts import AccountRepository
from server.clinical.entities import Prescription
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.clinical.storage.patients import PatientRepository
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import RecipientDeactivated
from server.identity import Role
from server.mailer.entities import ClaimedEmail
from server.mailer.message import build_message, picture_id, sender_domain
from server.mailer.rendering import ENDED, EmailRenderer, TemplateData
from server.mailer.storage.dispenses import DispenseRepository
from server.outbox.entities import EmailKind
from server.outbox.sealed_codes import CodeSeal

_OF_ACCOUNTS: Final = frozenset(
    {
        EmailKind.WELCOME,
        EmailKind.PASSWORD_RESET,
        EmailKind.PASSWORD_CHANGED,
        EmailKind.HISTORY_CODE,
        EmailKind.EMAIL_CODE,
        EmailKind.EMAIL_CHANGE,
        EmailKind.ADDRESS_TAKEN,
    }
)
"""The kinds of email that name no prescription."""


class EmailComposer:
    """Composes emails when they are sent, so that their contents are current.

    sender: the From header, `Name <address>`. seal: opens the sealed codes in the queue.
    """

    def __init__(
        self,
        work: UnitOfWork,
        letters: EmailRenderer,
        codes: QrIssuer,
        pictures: QrPictures,
        sender: str,
        seal: CodeSeal,
    ) -> None:
        self._work = work
        self._letters = letters
        self._codes = codes
        self._pictures = pictures
        self._sender = sender
        self._seal = seal
        self._domain = sender_domain(sender)

    async def compose(self, mail: ClaimedEmail) -> EmailMessage:
        """Returns the complete email.

        Raises NotFound when a record that it names is gone, RecipientDeactivated when the recipient's account is
        deactivated, and Unavailable when the database fails.
        """
        if mail.kind is EmailKind.PRESCRIPTION:
            return await self._compose_prescription(mail)
        async with self._work.read() as tx:
            contents = await self._contents(tx, mail)
        return build_message(mail, self._sender, self._letters.write(mail.kind, contents), None)

    async def _compose_prescription(self, mail: ClaimedEmail) -> EmailMessage:
        async with self._work.read() as tx:
            prescription = await tx[PrescriptionRepository].get(_prescription_id(mail))
            recipient = await _recipient(tx, mail)
            patient = await tx[PatientRepository].get(prescription.patient_id)
        text = qr_text(prescription, self._codes)
        drawn = None if text is None else await self._pictures.png(prescription.qr_code.qr_hash, text)
        cid = "" if drawn is None else picture_id(mail, self._domain)
        contents = TemplateData(recipient, patient=patient, prescription=prescription, picture_id=cid)
        return build_message(mail, self._sender, self._letters.write(mail.kind, contents), drawn)

    async def _contents(self, tx: Transaction, mail: ClaimedEmail) -> TemplateData:
        recipient = await _recipient(tx, mail)
        if mail.kind is EmailKind.TEST:
            data = json.loads(mail.details["data"])
            return TemplateData(recipient, event_type=mail.details["event_type"], event_data=data)
        if mail.kind in _OF_ACCOUNTS:
            return await self._of_account(tx, mail, recipient)
        prescription = await tx[PrescriptionRepository].get(_prescription_id(mail))
        if mail.kind is not EmailKind.DISPENSED:
            return TemplateData(recipient, prescription=prescription)
        dispensed = tx[DispenseRepository]
        handed_out = await dispensed.get(UUID(mail.details["log_id"]), prescription.id)
        code_works = qr_text(prescription, self._codes) is not None
        return TemplateData(recipient, prescription=prescription, handed_out=handed_out, code_works=code_works)

    async def _of_account(self, tx: Transaction, mail: ClaimedEmail, recipient: User) -> TemplateData:
        shows_record = mail.kind is EmailKind.WELCOME and recipient.role is Role.PATIENT
        sealed = mail.sealed_code
        return TemplateData(
            recipient,
            patient=await tx[PatientRepository].by_user(recipient.id) if shows_record else None,
            invited=mail.details.get("invited") == "yes",
            address=mail.recipient,
            code="" if sealed is None else self._seal.open(sealed, recipient.id),
            code_expires_at=mail.expires_at,
            changed_at=mail.created_at,
        )


def qr_text(prescription: Prescription, codes: QrIssuer) -> str | None:
    """Returns the text of the prescription's QR code, or None when no pharmacy would accept it.

    A code is not accepted when it is used, expired, or encrypted under a key that is no longer configured.
    """
    code = prescription.qr_code
    over = prescription.status in ENDED or code.expires_at <= prescription.as_of
    return None if over or not codes.can_read(code) else codes.text(code)


async def _recipient(tx: Transaction, mail: ClaimedEmail) -> User:
    recipient = await tx[AccountRepository].get(mail.recipient_id)
    if recipient.status is UserStatus.DEACTIVATED:
        raise RecipientDeactivated()
    return recipient


def _prescription_id(mail: ClaimedEmail) -> UUID:
    if mail.prescription_id is None:
        raise ValueError(f"an email of kind {mail.kind.value} must name a prescription")
    return mail.prescription_id
