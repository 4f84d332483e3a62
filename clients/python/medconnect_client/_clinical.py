"""Patients, visits, prescriptions and QR codes: what doctors and patients do."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, date, datetime

from medconnect.clinical.v1 import clinical_service_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._wire import filled, read
from medconnect_client.models import (
    AccessLogEntry,
    HistoryEntry,
    MedicalVisit,
    NewPatient,
    NewPrescription,
    NewVisit,
    Patient,
    PatientChanges,
    PatientHistoryEntry,
    PatientPrescription,
    PatientProfile,
    PatientSummary,
    Prescription,
    PrescriptionStatus,
    ProfileChanges,
    QrCode,
    QrCodeInfo,
    QueuedMail,
)


class AsyncClinical:
    """The Clinical service."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def patients(self, search: str | None = None) -> AsyncIterator[PatientSummary]:
        """Patients by name (doctors); search: words that begin words of the name, a reference number or an address."""
        request = filled(pb.ListPatientsRequest, search=search)
        return self._calls.listed(request, pb.ListPatientsResponse, PatientSummary)

    async def create_patient(self, patient: NewPatient, *, idempotency_key: str | None = None) -> Patient:
        """Make a record, and with an e-mail address the account too (doctors). Raises ValidationFailed, EmailTaken."""
        request = filled(pb.CreatePatientRequest, patient)
        answer = await self._calls.unary(request, pb.CreatePatientResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def patient(self, patient_id: str) -> Patient:
        """A whole record (doctors). Raises NotFound."""
        answer = await self._calls.unary(pb.GetPatientRequest(patient_id=patient_id), pb.GetPatientResponse)
        return read(Patient, answer.patient)

    async def update_patient(
        self, patient_id: str, changes: PatientChanges, *, idempotency_key: str | None = None
    ) -> Patient:
        """Change what is given and nothing else (doctors). Raises NotFound, VersionConflict, EmailTaken."""
        request = filled(pb.UpdatePatientRequest, changes, patient_id=patient_id)
        answer = await self._calls.unary(request, pb.UpdatePatientResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def create_prescription(
        self, prescription: NewPrescription, *, idempotency_key: str | None = None
    ) -> Prescription:
        """Write a prescription; the patient is mailed its number and code (doctors). Raises NotFound."""
        request = filled(pb.CreatePrescriptionRequest, prescription)
        answer = await self._calls.unary(request, pb.CreatePrescriptionResponse, key=idempotency_key)
        return read(Prescription, answer.prescription)

    def prescriptions(
        self,
        *,
        status: Collection[PrescriptionStatus] = (),
        patient_id: str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
    ) -> AsyncIterator[Prescription]:
        """The caller's own prescriptions, newest first (doctors); days are the hospital's, both included."""
        request = filled(
            pb.ListPrescriptionsRequest, status=status, patient_id=patient_id, from_date=from_date, to_date=to_date
        )
        return self._calls.listed(request, pb.ListPrescriptionsResponse, Prescription)

    async def prescription(self, prescription_id: str) -> Prescription:
        """One of the caller's own prescriptions (doctors). Raises NotFound."""
        request = pb.GetPrescriptionRequest(prescription_id=prescription_id)
        return read(Prescription, (await self._calls.unary(request, pb.GetPrescriptionResponse)).prescription)

    async def cancel_prescription(
        self, prescription_id: str, reason: str, *, idempotency_key: str | None = None
    ) -> Prescription:
        """Cancel one of the caller's own (doctors); the patient reads the reason.

        Raises NotFound, PrescriptionClaimed while a pharmacy holds it, and the errors of final states.
        """
        request = pb.CancelPrescriptionRequest(prescription_id=prescription_id, reason=reason)
        answer = await self._calls.unary(request, pb.CancelPrescriptionResponse, key=idempotency_key)
        return read(Prescription, answer.prescription)

    async def create_visit(self, visit: NewVisit, *, idempotency_key: str | None = None) -> MedicalVisit:
        """Record a visit (doctors). Raises NotFound, ValidationFailed."""
        request = filled(pb.CreateMedicalVisitRequest, visit)
        answer = await self._calls.unary(request, pb.CreateMedicalVisitResponse, key=idempotency_key)
        return read(MedicalVisit, answer.visit)

    def visits(
        self, *, patient_id: str | None = None, from_date: date | None = None, to_date: date | None = None
    ) -> AsyncIterator[MedicalVisit]:
        """The visits that the caller recorded, newest first (doctors); days are the hospital's, both included."""
        request = filled(pb.ListMedicalVisitsRequest, patient_id=patient_id, from_date=from_date, to_date=to_date)
        return self._calls.listed(request, pb.ListMedicalVisitsResponse, MedicalVisit)

    async def profile(self) -> PatientProfile:
        """The calling patient's own record."""
        return read(PatientProfile, (await self._calls.unary(pb.GetProfileRequest(), pb.GetProfileResponse)).patient)

    async def update_profile(self, changes: ProfileChanges, *, idempotency_key: str | None = None) -> PatientProfile:
        """Change what is given in the calling patient's own record. Raises VersionConflict."""
        request = filled(pb.UpdateProfileRequest, changes)
        answer = await self._calls.unary(request, pb.UpdateProfileResponse, key=idempotency_key)
        return read(PatientProfile, answer.patient)

    def my_prescriptions(self, *, status: Collection[PrescriptionStatus] = ()) -> AsyncIterator[PatientPrescription]:
        """The calling patient's prescriptions, newest first."""
        request = filled(pb.ListMyPrescriptionsRequest, status=status)
        return self._calls.listed(request, pb.ListMyPrescriptionsResponse, PatientPrescription)

    async def qr_code(self, prescription_id: str) -> QrCode:
        """A prescription's present code, for its patient or its doctor. Raises NotFound."""
        request = pb.GetQrCodeRequest(prescription_id=prescription_id)
        return read(QrCode, await self._calls.unary(request, pb.GetQrCodeResponse))

    async def qr_code_image(self, prescription_id: str) -> bytes:
        """The same as a PNG. Raises NotFound."""
        request = pb.GetQrCodeImageRequest(prescription_id=prescription_id)
        return bytes((await self._calls.unary(request, pb.GetQrCodeImageResponse)).image.data)

    async def reissue_qr_code(self, prescription_id: str, *, idempotency_key: str | None = None) -> QrCodeInfo:
        """Issue a new code; the old one stops working. Raises NotFound, and the errors of final states."""
        request = pb.ReissueQrCodeRequest(prescription_id=prescription_id)
        answer = await self._calls.unary(request, pb.ReissueQrCodeResponse, key=idempotency_key)
        return read(QrCodeInfo, answer.qr_code)

    async def send_prescription_email(self, prescription_id: str, *, idempotency_key: str | None = None) -> QueuedMail:
        """Mail a prescription to its patient again.

        Raises NotFound, PatientHasNoEmail, RecipientDeactivated, the errors of final states.
        """
        request = pb.SendPrescriptionEmailRequest(prescription_id=prescription_id)
        return read(QueuedMail, await self._calls.unary(request, pb.SendPrescriptionEmailResponse, key=idempotency_key))

    def access_log(
        self, *, from_date: date | None = None, to_date: date | None = None, event: str | None = None
    ) -> AsyncIterator[AccessLogEntry]:
        """Who saw or changed the calling patient's record, newest first; days are the hospital's, both included.

        event: a word of `audit.proto` in lower case, such as `prescription_read`. Raises ValueError for any other.
        """
        request = filled(pb.ListAccessLogRequest, from_date=from_date, to_date=to_date, event=event)
        return self._calls.listed(request, pb.ListAccessLogResponse, AccessLogEntry)

    def patient_history(self, patient_id: str) -> AsyncIterator[PatientHistoryEntry]:
        """A patient's visits and prescriptions, newest first (doctors). Raises NotFound."""
        request = pb.GetPatientHistoryRequest(patient_id=patient_id)
        return self._calls.listed(request, pb.GetPatientHistoryResponse, PatientHistoryEntry)

    async def request_history_access(self) -> datetime:
        """Have a code mailed that opens the calling patient's history to this session; answers until when it works."""
        request = pb.RequestHistoryAccessRequest()
        answer = await self._calls.unary(request, pb.RequestHistoryAccessResponse)
        return answer.expires_at.ToDatetime(tzinfo=UTC)

    async def confirm_history_access(self, otp_code: str) -> datetime:
        """Open the history with the mailed code; answers until when. Raises OtpInvalid."""
        request = pb.ConfirmHistoryAccessRequest(otp_code=otp_code)
        answer = await self._calls.unary(request, pb.ConfirmHistoryAccessResponse)
        return answer.expires_at.ToDatetime(tzinfo=UTC)

    def medical_history(self) -> AsyncIterator[HistoryEntry]:
        """The calling patient's visits and prescriptions, newest first. Raises OtpRequired unless it was opened."""
        return self._calls.listed(pb.GetMedicalHistoryRequest(), pb.GetMedicalHistoryResponse, HistoryEntry)

    async def existing_conditions(self) -> tuple[str, ...]:
        """Illnesses that the calling patient lives with. Raises OtpRequired unless the history was opened."""
        request = pb.GetMedicalHistoryRequest(page_size=1)
        return tuple((await self._calls.unary(request, pb.GetMedicalHistoryResponse)).existing_conditions)
