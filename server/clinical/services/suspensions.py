"""Use cases of suspended prescriptions: a deactivation suspends them, another doctor of the hospital resumes them."""

from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.clinical.entities import Prescription
from server.clinical.events import PrescriptionResumed, PrescriptionSuspended
from server.clinical.rules import prescribing
from server.clinical.storage.suspensions import SuspensionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.events.storage.events import EventRepository
from server.identity import Caller


class SuspensionService:
    """The use cases of suspended prescriptions."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    async def resume(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Resumes a suspended prescription of another doctor of the caller's hospital and emails it to its patient.

        Raises NotFound, PrescriptionInState if it is not suspended, and the errors of final states.
        """
        async with self._work.begin() as tx:
            prescription = await tx[SuspensionRepository].of_colleague_for_update(prescription_id, caller)
            prescribing.check_resumable(prescription)
            resumed = await tx[SuspensionRepository].resume(prescription)
            await tx[EventRepository].record(PrescriptionResumed(resumed))
            await tx[AuditWriter].record(AuditEvent.PRESCRIPTION_RESUMED, prescribing.subject_of(resumed))
        return prescribing.as_seen_by(caller, resumed)

    @staticmethod
    async def suspend_all(tx: Transaction, doctor_id: UUID) -> None:
        """Suspends a doctor's open prescriptions and notifies their patients."""
        for suspended in await tx[SuspensionRepository].suspend_all(doctor_id):
            await tx[EventRepository].record(PrescriptionSuspended(suspended))
