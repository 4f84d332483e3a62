"""Use cases of the identity of patients: a member of staff identifies the person of a record."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.clinical.entities import Patient
from server.clinical.patient_entities import IdentificationDocument
from server.clinical.rules.identification import date_of_birth_of
from server.clinical.storage.patients import PatientRepository
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.identity import Caller


class IdentificationService:
    """The use cases of the identity of patients."""

    def __init__(self, work: UnitOfWork, clock: Clock) -> None:
        self._work = work
        self._clock = clock

    async def identify(
        self, caller: Caller, patient_id: UUID, document: IdentificationDocument, note: str, born: date | None
    ) -> Patient:
        """Records that the caller identified the person of a record; it replaces an earlier identification.

        born: the date of birth on the document. Raises NotFound and ValidationFailed.
        """
        async with self._work.begin() as tx:
            patient = await tx[PatientRepository].get_for_update(patient_id)
            checked = date_of_birth_of(patient, born, self._clock.today())
            if patient.date_of_birth is None:
                await tx[PatientRepository].save(replace(patient, date_of_birth=checked), caller.user_id)
            subject = Subject("patient", patient.id, (patient.id,))
            await tx[AuditWriter].record(AuditEvent.PATIENT_IDENTIFIED, subject, reason=document.name)
            return await tx[PatientRepository].identify(patient.id, caller.user_id, document, note)
