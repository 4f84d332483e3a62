"""The gRPC servicer of PatientIdentityService."""

from typing import Any

import grpc
from medconnect.clinical.v1 import patient_identity_service_pb2 as pb
from medconnect.clinical.v1 import patient_identity_service_pb2_grpc

from server.api.clinical.patient_mapping import DOCUMENTS, date_on_document, patient_message
from server.api.wire import read_uuid
from server.clinical.services.identification import IdentificationService
from server.identity import current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class PatientIdentityServicer(patient_identity_service_pb2_grpc.PatientIdentityServiceServicer):
    """Maps each call to the service and its result to a response."""

    def __init__(self, service: IdentificationService) -> None:
        self._service = service

    async def IdentifyPatient(self, request: pb.IdentifyPatientRequest, context: Context) -> pb.IdentifyPatientResponse:
        caller, document, born = current_caller(), DOCUMENTS[request.document], date_on_document(request)
        patient = await self._service.identify(caller, read_uuid(request.patient_id), document, request.note, born)
        return pb.IdentifyPatientResponse(patient=patient_message(patient, caller))
