"""Use cases of patient records: create (by a doctor or with an account), search, read and update."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from uuid import UUID

from server import email_address, search_keys
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.clinical.entities import Patient, PatientChange
from server.clinical.patient_entities import AllergiesAsked, IdentificationDocument
from server.clinical.patient_summaries import PatientSummary
from server.clinical.rules import reference_number
from server.clinical.rules.email_addresses import check_same_email
from server.clinical.rules.identification import keeps_identification
from server.clinical.rules.patients import changed, changed_fields, check_no_known_allergies
from server.clinical.rules.reference_number import ReferenceKind, new_patient_reference
from server.clinical.services.patient_emails import open_account
from server.clinical.storage.patients import PatientRepository
from server.clock import Clock
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import ReferenceNumberInvalid
from server.identity import Caller
from server.pagination import BY_NAME, Listing, NameAndId, Page, PageRequest, PageTokens
from server.patient_details import PatientDetails, PatientRecord, check_past_date


class PatientService:
    """The use cases of patient records.

    new_reference: draws a random reference number for a day. requires_identification: self-asserted records are found
    only by their reference number.
    """

    def __init__(
        self,
        work: UnitOfWork,
        clock: Clock,
        page_tokens: PageTokens,
        new_reference: Callable[[date], str] = new_patient_reference,
        *,
        requires_identification: bool = True,
    ) -> None:
        self._work = work
        self._clock = clock
        self._summaries = Listing[PatientSummary, NameAndId](
            page_tokens, "ListPatients", BY_NAME, lambda patient: (patient.sort_name, patient.id)
        )
        self._new_reference = new_reference
        self._requires_identification = requires_identification

    async def open_record(
        self,
        tx: Transaction,
        user_id: UUID | None,
        full_name: str,
        phone: str,
        details: PatientDetails,
        *,
        identified_by: UUID | None = None,
        document: IdentificationDocument | None = None,
        asked_by: UUID | None = None,
    ) -> PatientRecord:
        """Creates the record of a new patient, with or without an account.

        identified_by: the member of staff who identified the person; None for a self-asserted record. asked_by: the
        account that records that the patient has no known allergies. Raises ValidationFailed for a date of birth in the
        future, and for allergies of a patient who has none.
        """
        if asked_by is not None:
            check_no_known_allergies(details.allergies)
        today = self._clock.today()
        if details.date_of_birth is not None:
            check_past_date(details.date_of_birth, "dateOfBirth", today)
        while True:
            number = self._new_reference(today)
            record = await tx[PatientRepository].insert(
                user_id,
                number,
                full_name,
                phone,
                details,
                identified_by=identified_by,
                document=document,
                asked_by=asked_by,
            )
            if record is not None:
                return record

    async def create(
        self,
        caller: Caller,
        email: str | None,
        full_name: str,
        phone: str,
        details: PatientDetails,
        document: IdentificationDocument | None = None,
        *,
        no_known_allergies: bool = False,
    ) -> Patient:
        """Creates the record of a person that the caller identified, and an account if an email address is given.

        Raises ValidationFailed and EmailTaken.
        """
        async with self._work.begin() as tx:
            user_id = None if email is None else (await open_account(tx, email, full_name, phone)).id
            record = await self.open_record(
                tx,
                user_id,
                full_name,
                phone,
                details,
                identified_by=caller.user_id,
                document=document,
                asked_by=caller.user_id if no_known_allergies else None,
            )
            await tx[AuditWriter].record(AuditEvent.PATIENT_CREATED, _subject(record.id))
            return await tx[PatientRepository].get(record.id)

    async def search(self, caller: Caller, text: str | None, page: PageRequest) -> Page[PatientSummary]:
        """Lists patients by name: all, or those that match the text (`search_keys.query`). Raises PageTokenInvalid."""
        query = self._summaries.query(caller, page, text)
        condition = _condition(text)
        if self._requires_identification and "reference_number" not in condition:
            condition = {**condition, "identified": True}
        async with self._work.read() as tx:
            return query.page(*await tx[PatientRepository].page(condition, query.after, query.size))

    async def get(self, patient_id: UUID) -> Patient:
        """Gets a patient record. Raises NotFound."""
        async with self._work.read() as tx:
            return await tx[PatientRepository].read(patient_id)

    async def profile(self, caller: Caller) -> Patient:
        """Gets the calling patient's own record."""
        async with self._work.read() as tx:
            return await tx[PatientRepository].read_by_user(caller.user_id)

    async def update(self, caller: Caller, patient_id: UUID, email: str | None, change: PatientChange) -> Patient:
        """Updates the given fields. An update never binds an email address: `email` is the one that the record has.

        Raises NotFound, VersionConflict, ValidationFailed, and EmailBindingRequired for another address.
        """
        async with self._work.begin() as tx:
            current = await tx[PatientRepository].get_for_update(patient_id)
            patient = self._changed(caller, current, change)
            check_same_email(current, email)
            return await _save(tx, caller, current, patient)

    async def update_profile(self, caller: Caller, change: PatientChange) -> Patient:
        """Updates the given fields of the calling patient's own record; a new date of birth ends an identification.

        Raises VersionConflict and ValidationFailed.
        """
        async with self._work.begin() as tx:
            current = await tx[PatientRepository].by_user_for_update(caller.user_id)
            saved = await _save(tx, caller, current, self._changed(caller, current, change))
            if keeps_identification(current, saved):
                return saved
            return await tx[PatientRepository].end_identification(saved.id)

    def _changed(self, caller: Caller, current: Patient, change: PatientChange) -> Patient:
        return changed(current, change, self._clock.today(), AllergiesAsked(caller.user_id, "", self._clock.now()))

    @staticmethod
    async def record_phone(tx: Transaction, user_id: UUID, phone: str) -> UUID:
        """Copies the phone number of a patient's account to their record; returns the patient's id."""
        current = await tx[PatientRepository].by_user_for_update(user_id)
        return (await tx[PatientRepository].save(replace(current, phone=phone), user_id)).id


def _subject(patient_id: UUID) -> Subject:
    return Subject("patient", patient_id, (patient_id,))


async def _save(tx: Transaction, caller: Caller, current: Patient, patient: Patient) -> Patient:
    """Stores the record if it differs from the current one; the audit names the fields that changed."""
    saved = current if patient == current else await tx[PatientRepository].save(patient, caller.user_id)
    fields = ",".join(changed_fields(current, saved))
    await tx[AuditWriter].record(AuditEvent.PATIENT_UPDATED, _subject(saved.id), reason=fields)
    return saved


def _condition(text: str | None) -> Mapping[str, object]:
    """Returns the filter for a search text; a text without any word matches no patient."""
    if text is None:
        return {}
    if "@" in text:
        return {"email": email_address.normal(text)}
    try:
        reference = reference_number.normalize(text)
    except ReferenceNumberInvalid:
        return {"name_query": search_keys.query(text) or ""}
    return {"reference_number": reference.text if reference.kind is ReferenceKind.PATIENT else ""}
