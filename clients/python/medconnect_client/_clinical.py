"""Calls of doctors and patients: patients, visits, prescriptions and QR codes."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, date, datetime

from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import patient_email_service_pb2 as emails
from medconnect.clinical.v1 import patient_identity_service_pb2 as identity
from medconnect.clinical.v1 import suspension_service_pb2 as suspensions

from medconnect_client._calls import Calls
from medconnect_client._wire import filled, read
from medconnect_client.models import (
    AccessLogEntry,
    EmailDetachReason,
    HistoryEntry,
    IdentificationDocument,
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
    RecordVersion,
)


class AsyncClinical:
    """The Clinical service."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def patients(self, search: str | None = None) -> AsyncIterator[PatientSummary]:
        """Lists patients by name (doctors).

        search: a reference number or an email address; or beginnings of words of the name, a date of birth and the last
        digits of a phone number, together or alone.
        """
        request = filled(pb.ListPatientsRequest, search=search)
        return self._calls.listed(request, pb.ListPatientsResponse, PatientSummary)

    async def create_patient(self, patient: NewPatient, *, idempotency_key: str | None = None) -> Patient:
        """Creates a patient record, with an email also an account (doctors). Raises ValidationFailed, EmailTaken."""
        request = filled(pb.CreatePatientRequest, patient)
        answer = await self._calls.unary(request, pb.CreatePatientResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def patient(self, patient_id: str) -> Patient:
        """Gets a patient record (doctors). Raises NotFound."""
        answer = await self._calls.unary(pb.GetPatientRequest(patient_id=patient_id), pb.GetPatientResponse)
        return read(Patient, answer.patient)

    async def update_patient(
        self, patient_id: str, changes: PatientChanges, *, idempotency_key: str | None = None
    ) -> Patient:
        """Updates the given fields of a patient record (doctors).

        Replacing or removing an allergy or a condition requires `changes.version`, the version that was read. Raises
        NotFound, ValidationFailed, VersionConflict.
        """
        request = filled(pb.UpdatePatientRequest, changes, patient_id=patient_id, clear=_cleared(changes))
        answer = await self._calls.unary(request, pb.UpdatePatientResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def identify_patient(
        self,
        patient_id: str,
        document: IdentificationDocument,
        *,
        note: str = "",
        date_of_birth: date | None = None,
        idempotency_key: str | None = None,
    ) -> Patient:
        """Records that the doctor identified the person of a record by a document.

        date_of_birth: that on the document; required if the record has none. Raises NotFound, ValidationFailed.
        """
        request = filled(
            identity.IdentifyPatientRequest,
            patient_id=patient_id,
            document=document,
            note=note,
            date_of_birth=date_of_birth,
        )
        answer = await self._calls.unary(request, identity.IdentifyPatientResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def bind_patient_email(self, patient_id: str, email: str, *, idempotency_key: str | None = None) -> Patient:
        """Binds an email address to a record without one, and invites its owner (doctors).

        Raises NotFound, EmailTaken, and FailedPrecondition if the record has an address.
        """
        request = emails.BindPatientEmailRequest(patient_id=patient_id, email=email)
        answer = await self._calls.unary(request, emails.BindPatientEmailResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def detach_patient_email(
        self, patient_id: str, reason: EmailDetachReason, *, idempotency_key: str | None = None
    ) -> Patient:
        """Detaches a wrong email address and closes its account (doctors); a confirmed one needs a second doctor.

        If `email_detachment` is set in the result, the second doctor is awaited. Raises NotFound, PatientHasNoEmail.
        """
        request = filled(emails.DetachPatientEmailRequest, patient_id=patient_id, reason=reason)
        answer = await self._calls.unary(request, emails.DetachPatientEmailResponse, key=idempotency_key)
        return read(Patient, answer.patient)

    async def create_prescription(
        self, prescription: NewPrescription, *, idempotency_key: str | None = None
    ) -> Prescription:
        """Creates a prescription and emails its number and QR code to the patient (doctors).

        Raises NotFound, and ValidationFailed for a `valid_from` in the past or more than 365 days ahead.
        """
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
        """Lists the caller's own prescriptions, newest first (doctors).

        from_date, to_date: calendar days in the hospital's time zone, both included.
        """
        request = filled(
            pb.ListPrescriptionsRequest, status=status, patient_id=patient_id, from_date=from_date, to_date=to_date
        )
        return self._calls.listed(request, pb.ListPrescriptionsResponse, Prescription)

    async def prescription(self, prescription_id: str) -> Prescription:
        """Gets one of the caller's own prescriptions (doctors). Raises NotFound."""
        request = pb.GetPrescriptionRequest(prescription_id=prescription_id)
        return read(Prescription, (await self._calls.unary(request, pb.GetPrescriptionResponse)).prescription)

    async def resume_prescription(self, prescription_id: str, *, idempotency_key: str | None = None) -> Prescription:
        """Resumes a suspended prescription of another doctor of the same hospital (doctors).

        Raises NotFound, PrescriptionState if it is not suspended, and the errors of final states.
        """
        request = suspensions.ResumePrescriptionRequest(prescription_id=prescription_id)
        answer = await self._calls.unary(request, suspensions.ResumePrescriptionResponse, key=idempotency_key)
        return read(Prescription, answer.prescription)

    async def cancel_prescription(
        self, prescription_id: str, reason: str, *, idempotency_key: str | None = None
    ) -> Prescription:
        """Cancels a prescription (doctors); the patient sees the reason.

        It is one of the caller's own, or one of another doctor of the same hospital if it is suspended or that
        doctor's account is deactivated. Raises NotFound, PrescriptionClaimed while a pharmacist has a claim on it, and
        the errors of final states.
        """
        request = pb.CancelPrescriptionRequest(prescription_id=prescription_id, reason=reason)
        answer = await self._calls.unary(request, pb.CancelPrescriptionResponse, key=idempotency_key)
        return read(Prescription, answer.prescription)

    async def create_visit(self, visit: NewVisit, *, idempotency_key: str | None = None) -> MedicalVisit:
        """Records a visit (doctors). Raises NotFound, ValidationFailed."""
        request = filled(pb.CreateMedicalVisitRequest, visit)
        answer = await self._calls.unary(request, pb.CreateMedicalVisitResponse, key=idempotency_key)
        return read(MedicalVisit, answer.visit)

    def visits(
        self, *, patient_id: str | None = None, from_date: date | None = None, to_date: date | None = None
    ) -> AsyncIterator[MedicalVisit]:
        """Lists the visits that the caller recorded, newest first (doctors).

        from_date, to_date: calendar days in the hospital's time zone, both included.
        """
        request = filled(pb.ListMedicalVisitsRequest, patient_id=patient_id, from_date=from_date, to_date=to_date)
        return self._calls.listed(request, pb.ListMedicalVisitsResponse, MedicalVisit)

    async def profile(self) -> PatientProfile:
        """Gets the calling patient's own record."""
        return read(PatientProfile, (await self._calls.unary(pb.GetProfileRequest(), pb.GetProfileResponse)).patient)

    async def update_profile(self, changes: ProfileChanges, *, idempotency_key: str | None = None) -> PatientProfile:
        """Updates the given fields of the calling patient's own record.

        Replacing or removing an allergy requires `changes.version`, the version that was read. Raises ValidationFailed
        and VersionConflict.
        """
        request = filled(pb.UpdateProfileRequest, changes, clear=_cleared(changes))
        answer = await self._calls.unary(request, pb.UpdateProfileResponse, key=idempotency_key)
        return read(PatientProfile, answer.patient)

    def my_prescriptions(self, *, status: Collection[PrescriptionStatus] = ()) -> AsyncIterator[PatientPrescription]:
        """Lists the calling patient's prescriptions, newest first."""
        request = filled(pb.ListMyPrescriptionsRequest, status=status)
        return self._calls.listed(request, pb.ListMyPrescriptionsResponse, PatientPrescription)

    async def qr_code(self, prescription_id: str) -> QrCode:
        """Gets the current QR code of a prescription, for its patient or its doctor. Raises NotFound."""
        request = pb.GetQrCodeRequest(prescription_id=prescription_id)
        return read(QrCode, await self._calls.unary(request, pb.GetQrCodeResponse))

    async def qr_code_image(self, prescription_id: str) -> bytes:
        """Gets the current QR code of a prescription as a PNG. Raises NotFound."""
        request = pb.GetQrCodeImageRequest(prescription_id=prescription_id)
        return bytes((await self._calls.unary(request, pb.GetQrCodeImageResponse)).image.data)

    async def reissue_qr_code(self, prescription_id: str, *, idempotency_key: str | None = None) -> QrCodeInfo:
        """Issues a new QR code; the old one stops working. Raises NotFound, and the errors of final states."""
        request = pb.ReissueQrCodeRequest(prescription_id=prescription_id)
        answer = await self._calls.unary(request, pb.ReissueQrCodeResponse, key=idempotency_key)
        return read(QrCodeInfo, answer.qr_code)

    async def send_prescription_email(self, prescription_id: str, *, idempotency_key: str | None = None) -> QueuedMail:
        """Emails a prescription to its patient again.

        Raises NotFound, PatientHasNoEmail, RecipientDeactivated, and the errors of final states.
        """
        request = pb.SendPrescriptionEmailRequest(prescription_id=prescription_id)
        return read(QueuedMail, await self._calls.unary(request, pb.SendPrescriptionEmailResponse, key=idempotency_key))

    def access_log(
        self,
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        event: str | None = None,
        exclude_own_reads: bool | None = None,
    ) -> AsyncIterator[AccessLogEntry]:
        """Lists who read or changed the calling patient's record, newest first.

        from_date, to_date: calendar days in the hospital's time zone, both included. event: an enum value of
        `audit.proto` in lower case, such as `prescription_read`. Raises ValueError for any other. exclude_own_reads:
        leaves out what the patient read.
        """
        request = filled(
            pb.ListAccessLogRequest,
            from_date=from_date,
            to_date=to_date,
            event=event,
            exclude_own_reads=exclude_own_reads,
        )
        return self._calls.listed(request, pb.ListAccessLogResponse, AccessLogEntry)

    def patient_history(self, patient_id: str) -> AsyncIterator[PatientHistoryEntry]:
        """Lists a patient's visits and prescriptions, newest first (doctors). Raises NotFound."""
        request = pb.GetPatientHistoryRequest(patient_id=patient_id)
        return self._calls.listed(request, pb.GetPatientHistoryResponse, PatientHistoryEntry)

    def record_versions(self, patient_id: str) -> AsyncIterator[RecordVersion]:
        """Lists the former versions of a record, the last replaced first (doctors). Raises NotFound."""
        request = pb.ListRecordVersionsRequest(patient_id=patient_id)
        return self._calls.listed(request, pb.ListRecordVersionsResponse, RecordVersion)

    def my_record_versions(self) -> AsyncIterator[RecordVersion]:
        """Lists the former versions of the calling patient's record. Raises OtpRequired if the history is not open."""
        return self._calls.listed(pb.ListMyRecordVersionsRequest(), pb.ListMyRecordVersionsResponse, RecordVersion)

    async def request_history_access(self) -> datetime:
        """Requests an email with a code that opens the calling patient's history; returns when the code expires."""
        request = pb.RequestHistoryAccessRequest()
        answer = await self._calls.unary(request, pb.RequestHistoryAccessResponse)
        return answer.expires_at.ToDatetime(tzinfo=UTC)

    async def confirm_history_access(self, otp_code: str) -> datetime:
        """Opens the medical history to this session with the emailed code; returns until when. Raises OtpInvalid."""
        request = pb.ConfirmHistoryAccessRequest(otp_code=otp_code)
        answer = await self._calls.unary(request, pb.ConfirmHistoryAccessResponse)
        return answer.expires_at.ToDatetime(tzinfo=UTC)

    def medical_history(self) -> AsyncIterator[HistoryEntry]:
        """Lists the calling patient's visits and prescriptions, newest first. Raises OtpRequired if not opened."""
        return self._calls.listed(pb.GetMedicalHistoryRequest(), pb.GetMedicalHistoryResponse, HistoryEntry)

    async def existing_conditions(self) -> tuple[str, ...]:
        """Gets the calling patient's existing conditions. Raises OtpRequired if the history is not open."""
        request = pb.GetMedicalHistoryRequest(page_size=1)
        return tuple((await self._calls.unary(request, pb.GetMedicalHistoryResponse)).existing_conditions)


def _cleared(changes: ProfileChanges | PatientChanges) -> tuple[str, ...]:
    """Returns the fields to clear: those that `clear` names, and the lists that are given without an entry."""
    lists = {"allergies": changes.allergies}
    if isinstance(changes, PatientChanges):
        lists["existingConditions"] = changes.existing_conditions
    return (*changes.clear, *(name for name, entries in lists.items() if entries == () and name not in changes.clear))
