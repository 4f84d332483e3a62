"""Composes emails from rows of the queue: loads the records, renders the templates, draws the QR codes."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from uuid import UUID

from server.auth.entities import SignInOrigin, User, UserStatus
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.db.unit_of_work import UnitOfWork
from server.errors import RecipientDeactivated
from server.identity import Role
from server.mailer.entities import AddressUnconfirmed, ClaimedEmail, EmailDetail
from server.mailer.message import OutgoingEmail, build_message, picture_id, sender_domain
from server.mailer.qr_codes import qr_text
from server.mailer.records import OF_PRESCRIPTIONS, Records, load
from server.mailer.rendering import EmailRenderer, TemplateData
from server.outbox.entities import EmailKind
from server.outbox.sealed_codes import CodeSeal


class EmailComposer:
    """Composes emails when they are sent, so that their contents are current.

    executor: for the CPU-bound part, which must not block the event loop. sender: the From header, `Name <address>`.
    seal: opens the sealed codes in the queue. detail: how much emails about prescriptions tell. writes_unconfirmed:
    whether unconfirmed addresses get them, without health data; otherwise the emails wait for the confirmation.
    """

    def __init__(
        self,
        work: UnitOfWork,
        renderer: EmailRenderer,
        codes: QrIssuer,
        pictures: QrPictures,
        executor: Executor,
        sender: str,
        seal: CodeSeal,
        *,
        detail: EmailDetail,
        writes_unconfirmed: bool,
    ) -> None:
        self._work = work
        self._renderer = renderer
        self._codes = codes
        self._pictures = pictures
        self._executor = executor
        self._sender = sender
        self._seal = seal
        self._detail = detail
        self._writes_unconfirmed = writes_unconfirmed
        self._domain = sender_domain(sender)

    async def compose(self, mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
        """Returns each email by its id, or the error because of which it cannot be composed.

        The errors are NotFound when a record that it names is gone, RecipientDeactivated when the recipient's account
        is deactivated, AddressUnconfirmed for an email that waits, and any other for a faulty row.
        Raises Unavailable when the database fails.
        """
        async with self._work.read() as tx:
            records = await load(tx, mails)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._compose_all, mails, records)

    def _compose_all(self, mails: Sequence[ClaimedEmail], records: Records) -> Mapping[UUID, OutgoingEmail | Exception]:
        composed: dict[UUID, OutgoingEmail | Exception] = {}
        for mail in mails:
            try:
                composed[mail.id] = self._compose(mail, records)
            except Exception as fault:  # one faulty email must not stop the others
                composed[mail.id] = fault
        return composed

    def _compose(self, mail: ClaimedEmail, records: Records) -> OutgoingEmail:
        recipient = records.recipient(mail)
        if recipient.status is UserStatus.DEACTIVATED:
            raise RecipientDeactivated()
        picture = None
        match mail.kind:
            case EmailKind.PRESCRIPTION:
                contents, picture = self._of_new_prescription(mail, recipient, records)
            case kind if kind in OF_PRESCRIPTIONS:
                contents = self._of_prescription(mail, recipient, records)
            case EmailKind.TEST:
                data = json.loads(mail.details["data"])
                contents = TemplateData(recipient, event_type=mail.details["event_type"], event_data=data)
            case _:
                contents = self._of_account(mail, recipient, records)
        contents = replace(
            contents,
            knows_recipient=recipient.email_confirmed_at is not None and mail.kind is not EmailKind.EMAIL_CODE,
            detail=self._detail_for(mail, recipient, records),
            hospital=records.hospitals.get(mail.prescription_id) if mail.prescription_id else None,
            pharmacy=records.pharmacies.get(mail.prescription_id) if mail.prescription_id else None,
        )
        return build_message(mail, self._sender, self._renderer.write(mail.kind, contents), picture)

    def _detail_for(self, mail: ClaimedEmail, recipient: User, records: Records) -> EmailDetail:
        """Returns how much an email tells. Raises AddressUnconfirmed for one that waits for the confirmation."""
        if mail.kind not in OF_PRESCRIPTIONS:
            return self._detail
        if recipient.email_confirmed_at is None:
            if recipient.role is Role.PATIENT and not self._writes_unconfirmed:
                raise AddressUnconfirmed()
            return EmailDetail.CODE
        patient = records.patient_of(records.prescription(mail))
        return EmailDetail.FULL if patient.full_emails and patient.user_id == recipient.id else self._detail

    def _of_new_prescription(
        self, mail: ClaimedEmail, recipient: User, records: Records
    ) -> tuple[TemplateData, bytes | None]:
        prescription = records.prescription(mail)
        patient = records.patient_of(prescription)
        text = qr_text(prescription, self._codes)
        picture = None if text is None else self._pictures.png_here(prescription.qr_code.qr_hash, text)
        cid = "" if picture is None else picture_id(mail, self._domain)
        return TemplateData(recipient, patient=patient, prescription=prescription, picture_id=cid), picture

    def _of_prescription(self, mail: ClaimedEmail, recipient: User, records: Records) -> TemplateData:
        prescription = records.prescription(mail)
        if mail.kind is not EmailKind.DISPENSED:
            return TemplateData(recipient, prescription=prescription)
        dispense = records.dispense(mail, prescription)
        code_works = qr_text(prescription, self._codes) is not None
        return TemplateData(recipient, prescription=prescription, dispense=dispense, code_works=code_works)

    def _of_account(self, mail: ClaimedEmail, recipient: User, records: Records) -> TemplateData:
        shows_record = mail.kind is EmailKind.WELCOME and recipient.role is Role.PATIENT
        sealed = mail.sealed_code
        return TemplateData(
            recipient,
            patient=records.patient_with(recipient) if shows_record else None,
            invited=mail.details.get("invited") == "yes",
            address=mail.recipient,
            code="" if sealed is None else self._seal.open(sealed, recipient.id),
            code_expires_at=mail.expires_at,
            changed_at=mail.created_at,
            factor_change=mail.details.get("change", ""),
            origin=SignInOrigin(mail.details.get("device", ""), mail.details.get("address", "")),
            reader_id=mail.details.get("reader_id", ""),
            patients=mail.details.get("patients", ""),
            staff_role=mail.details.get("role", ""),
            staff_waits=mail.details.get("status") == UserStatus.UNVERIFIED,
        )
