"""The objects that accepted requests name."""

from typing import Any

from medconnect.auth.v1 import user_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2, visit_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from tests.fixtures.actors import Actor, Actors


class World:
    """The objects that requests name."""

    def __init__(self, actors: Actors) -> None:
        self.actors = actors
        self.patient = actors.new_patient()
        self.visitor = actors.new_patient()
        self.record_id = self.record()
        self.visit_id = self._visit(self.patient.patient_id, actors.doctor)

    def record(self, email: str | None = None) -> str:
        """Returns the id of a new patient record, without an account unless an email address is given."""
        request = clinical.CreatePatientRequest(
            email=email, full_name="Nora Noaddress", date_of_birth="1990-02-28", gender=patient_pb2.GENDER_FEMALE
        )
        return self.actors.clinical.CreatePatient(request, metadata=self.actors.doctor.metadata).patient.id

    def version(self, patient_id: str) -> int:
        """Returns the current version of a patient record."""
        request = clinical.GetPatientRequest(patient_id=patient_id)
        return self.actors.clinical.GetPatient(request, metadata=self.actors.doctor.metadata).patient.version

    def foreign_ids(self) -> tuple[str, ...]:
        """Ids that must be refused here: another doctor's prescription, item and visit, a patient's account."""
        doctor, patient_id = self.actors.new_doctor(), self.record()
        written = self.actors.prescribe(patient_id, doctor=doctor)
        return written.id, written.items[0].id, self._visit(patient_id, doctor), self.patient.user_id

    def written(self) -> str:
        """Returns the id of a prescription by the doctor."""
        return self.actors.prescribe(self.record_id).id

    def suspended(self) -> str:
        """Returns the id of a suspended prescription of another doctor of the colleague's hospital."""
        rogue = self.actors.new_doctor("Sound Hospital")
        written = self.actors.prescribe(self.record_id, doctor=rogue)
        self.actors.deactivate(rogue, user_pb2.DEACTIVATION_REASON_ACCOUNT_STOLEN)
        return written.id

    def mailable(self) -> str:
        """Returns the id of a prescription whose patient has an address."""
        return self.actors.prescribe(self.patient.patient_id).id

    def held(self, *quantities: int) -> Any:
        """Returns a prescription that the pharmacist has claimed."""
        written = self.actors.prescribe(self.record_id, *quantities)
        self.actors.claim(written.id, self.actors.pharmacist)
        return written

    def claimed(self) -> str:
        """Returns the id of a prescription of the patient that the pharmacist has claimed."""
        written = self.actors.prescribe(self.patient.patient_id)
        self.actors.claim(written.id, self.actors.pharmacist)
        return written.id

    def scanned(self) -> str:
        """Returns the id of a prescription that the pharmacist has scanned."""
        written = self.actors.prescribe(self.record_id)
        scan = pharmacy.ScanQrCodeRequest(qr_code=self.actors.qr_text(written.id))
        self.actors.pharmacy.ScanQrCode(scan, metadata=self.actors.pharmacist.metadata)
        return written.id

    def _visit(self, patient_id: str, doctor: Actor) -> str:
        request = clinical.CreateMedicalVisitRequest(
            patient_id=patient_id,
            visit_date="2026-01-31",
            visit_type=visit_pb2.VISIT_TYPE_CONSULTATION,
            chief_complaint="headache",
        )
        return self.actors.clinical.CreateMedicalVisit(request, metadata=doctor.metadata).visit.id
