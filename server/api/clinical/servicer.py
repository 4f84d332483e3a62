"""The gRPC servicer of ClinicalService."""

from typing import Any

import grpc
from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import clinical_service_pb2_grpc

from server.access_log.service import AuditService
from server.api.access_log import mapping as audit_mapping
from server.api.auth.mapping import patient_details
from server.api.clinical import history_mapping, mapping, patient_mapping
from server.api.wire import page_request, read_period, read_uuid, timestamp
from server.clinical.services.histories import HistoryService
from server.clinical.services.patients import PatientService
from server.clinical.services.prescriptions import PrescriptionService
from server.clinical.services.qr_codes import QrCodeService
from server.clinical.services.visits import VisitService
from server.identity import current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class ClinicalServicer(clinical_service_pb2_grpc.ClinicalServiceServicer):
    """Maps each call to the services and their results to responses."""

    def __init__(
        self,
        patients: PatientService,
        visits: VisitService,
        prescriptions: PrescriptionService,
        qr_codes: QrCodeService,
        histories: HistoryService,
        audit: AuditService,
    ) -> None:
        self._patients = patients
        self._visits = visits
        self._prescriptions = prescriptions
        self._qr_codes = qr_codes
        self._histories = histories
        self._audit = audit

    async def ListPatients(self, request: pb.ListPatientsRequest, context: Context) -> pb.ListPatientsResponse:
        search = patient_mapping.optional_text(request, "search")
        page = await self._patients.search(current_caller(), search, page_request(request))
        return patient_mapping.patients_response(page)

    async def CreatePatient(self, request: pb.CreatePatientRequest, context: Context) -> pb.CreatePatientResponse:
        email = patient_mapping.optional_text(request, "email")
        details = patient_details(request)
        document = patient_mapping.DOCUMENTS.get(request.document)
        caller = current_caller()
        patient = await self._patients.create(
            caller,
            email,
            request.full_name,
            request.phone,
            details,
            document,
            no_known_allergies=request.no_known_allergies,
        )
        return pb.CreatePatientResponse(patient=patient_mapping.patient_message(patient, caller))

    async def GetPatient(self, request: pb.GetPatientRequest, context: Context) -> pb.GetPatientResponse:
        patient = await self._patients.get(read_uuid(request.patient_id))
        return pb.GetPatientResponse(patient=patient_mapping.patient_message(patient, current_caller()))

    async def UpdatePatient(self, request: pb.UpdatePatientRequest, context: Context) -> pb.UpdatePatientResponse:
        email = patient_mapping.optional_text(request, "email")
        change = patient_mapping.patient_change(request)
        patient = await self._patients.update(current_caller(), read_uuid(request.patient_id), email, change)
        return pb.UpdatePatientResponse(patient=patient_mapping.patient_message(patient, current_caller()))

    async def CreatePrescription(
        self, request: pb.CreatePrescriptionRequest, context: Context
    ) -> pb.CreatePrescriptionResponse:
        prescription = await self._prescriptions.create(current_caller(), mapping.new_prescription(request))
        return pb.CreatePrescriptionResponse(prescription=mapping.prescription_message(prescription))

    async def ListPrescriptions(
        self, request: pb.ListPrescriptionsRequest, context: Context
    ) -> pb.ListPrescriptionsResponse:
        wanted = mapping.statuses(request), mapping.filtered_patient(request), read_period(request)
        page = await self._prescriptions.list_own(current_caller(), *wanted, page_request(request))
        return mapping.prescriptions_response(page)

    async def GetPrescription(self, request: pb.GetPrescriptionRequest, context: Context) -> pb.GetPrescriptionResponse:
        prescription = await self._prescriptions.get(current_caller(), read_uuid(request.prescription_id))
        return pb.GetPrescriptionResponse(prescription=mapping.prescription_message(prescription))

    async def CancelPrescription(
        self, request: pb.CancelPrescriptionRequest, context: Context
    ) -> pb.CancelPrescriptionResponse:
        prescription_id = read_uuid(request.prescription_id)
        cancelled = await self._prescriptions.cancel(current_caller(), prescription_id, request.reason)
        return pb.CancelPrescriptionResponse(prescription=mapping.prescription_message(cancelled))

    async def CreateMedicalVisit(
        self, request: pb.CreateMedicalVisitRequest, context: Context
    ) -> pb.CreateMedicalVisitResponse:
        visit = await self._visits.record(current_caller(), mapping.new_visit(request))
        return pb.CreateMedicalVisitResponse(visit=mapping.visit_message(visit))

    async def ListMedicalVisits(
        self, request: pb.ListMedicalVisitsRequest, context: Context
    ) -> pb.ListMedicalVisitsResponse:
        wanted = mapping.filtered_patient(request), read_period(request)
        page = await self._visits.list_own(current_caller(), *wanted, page_request(request))
        return mapping.visits_response(page)

    async def GetProfile(self, request: pb.GetProfileRequest, context: Context) -> pb.GetProfileResponse:
        patient = await self._patients.profile(current_caller())
        return pb.GetProfileResponse(patient=patient_mapping.profile_message(patient))

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, context: Context) -> pb.UpdateProfileResponse:
        patient = await self._patients.update_profile(current_caller(), patient_mapping.patient_change(request))
        return pb.UpdateProfileResponse(patient=patient_mapping.profile_message(patient))

    async def ListMyPrescriptions(
        self, request: pb.ListMyPrescriptionsRequest, context: Context
    ) -> pb.ListMyPrescriptionsResponse:
        statuses = mapping.statuses(request)
        page = await self._prescriptions.list_mine(current_caller(), statuses, page_request(request))
        return mapping.my_prescriptions_response(page)

    async def RequestHistoryAccess(
        self, request: pb.RequestHistoryAccessRequest, context: Context
    ) -> pb.RequestHistoryAccessResponse:
        expires_at = await self._histories.request_access(current_caller())
        return pb.RequestHistoryAccessResponse(expires_at=timestamp(expires_at))

    async def ConfirmHistoryAccess(
        self, request: pb.ConfirmHistoryAccessRequest, context: Context
    ) -> pb.ConfirmHistoryAccessResponse:
        expires_at = await self._histories.confirm_access(current_caller(), request.otp_code)
        return pb.ConfirmHistoryAccessResponse(expires_at=timestamp(expires_at))

    async def GetMedicalHistory(
        self, request: pb.GetMedicalHistoryRequest, context: Context
    ) -> pb.GetMedicalHistoryResponse:
        history = await self._histories.own(current_caller(), page_request(request))
        return history_mapping.own_history_response(history)

    async def GetPatientHistory(
        self, request: pb.GetPatientHistoryRequest, context: Context
    ) -> pb.GetPatientHistoryResponse:
        caller = current_caller()
        page = await self._histories.of_patient(caller, read_uuid(request.patient_id), page_request(request))
        return history_mapping.patient_history_response(page, caller.user_id)

    async def ListRecordVersions(
        self, request: pb.ListRecordVersionsRequest, context: Context
    ) -> pb.ListRecordVersionsResponse:
        patient_id = read_uuid(request.patient_id)
        page = await self._histories.versions_of_patient(current_caller(), patient_id, page_request(request))
        return history_mapping.record_versions_response(page)

    async def ListMyRecordVersions(
        self, request: pb.ListMyRecordVersionsRequest, context: Context
    ) -> pb.ListMyRecordVersionsResponse:
        page = await self._histories.own_versions(current_caller(), page_request(request))
        return history_mapping.own_record_versions_response(page)

    async def GetQrCode(self, request: pb.GetQrCodeRequest, context: Context) -> pb.GetQrCodeResponse:
        shown = await self._qr_codes.show(current_caller(), read_uuid(request.prescription_id))
        return mapping.qr_code_response(shown)

    async def GetQrCodeImage(self, request: pb.GetQrCodeImageRequest, context: Context) -> pb.GetQrCodeImageResponse:
        shown = await self._qr_codes.show(current_caller(), read_uuid(request.prescription_id))
        return mapping.qr_code_image_response(shown)

    async def ReissueQrCode(self, request: pb.ReissueQrCodeRequest, context: Context) -> pb.ReissueQrCodeResponse:
        prescription = await self._qr_codes.reissue(current_caller(), read_uuid(request.prescription_id))
        return pb.ReissueQrCodeResponse(qr_code=mapping.code_message(prescription))

    async def SendPrescriptionEmail(
        self, request: pb.SendPrescriptionEmailRequest, context: Context
    ) -> pb.SendPrescriptionEmailResponse:
        sent = await self._qr_codes.send_by_mail(current_caller(), read_uuid(request.prescription_id))
        code = mapping.code_message(sent)
        return pb.SendPrescriptionEmailResponse(prescription_number=sent.number, qr_code=code)

    async def ListAccessLog(self, request: pb.ListAccessLogRequest, context: Context) -> pb.ListAccessLogResponse:
        wanted = audit_mapping.access_filter(request)
        page = await self._audit.list_accesses(current_caller(), wanted, page_request(request))
        return audit_mapping.access_log_response(page)
