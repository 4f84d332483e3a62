"""The gRPC servicer of PatientEmailService."""

from typing import Any

import grpc
from medconnect.clinical.v1 import patient_email_service_pb2 as pb
from medconnect.clinical.v1 import patient_email_service_pb2_grpc

from server.api.clinical.patient_mapping import DETACH_REASONS, patient_message
from server.api.wire import read_uuid
from server.clinical.services.patient_emails import PatientEmailService
from server.identity import current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class PatientEmailServicer(patient_email_service_pb2_grpc.PatientEmailServiceServicer):
    """Maps each call to the service and its result to a response."""

    def __init__(self, service: PatientEmailService) -> None:
        self._service = service

    async def BindPatientEmail(
        self, request: pb.BindPatientEmailRequest, context: Context
    ) -> pb.BindPatientEmailResponse:
        caller = current_caller()
        patient = await self._service.bind(caller, read_uuid(request.patient_id), request.email)
        return pb.BindPatientEmailResponse(patient=patient_message(patient, caller))

    async def DetachPatientEmail(
        self, request: pb.DetachPatientEmailRequest, context: Context
    ) -> pb.DetachPatientEmailResponse:
        caller, reason = current_caller(), DETACH_REASONS[request.reason]
        patient = await self._service.detach(caller, read_uuid(request.patient_id), reason)
        return pb.DetachPatientEmailResponse(patient=patient_message(patient, caller))
