"""The gRPC servicer of SuspensionService."""

from typing import Any

import grpc
from medconnect.clinical.v1 import suspension_service_pb2 as pb
from medconnect.clinical.v1 import suspension_service_pb2_grpc

from server.api.clinical.mapping import prescription_message
from server.api.wire import read_uuid
from server.clinical.services.suspensions import SuspensionService
from server.identity import current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class SuspensionServicer(suspension_service_pb2_grpc.SuspensionServiceServicer):
    """Maps each call to the service and its result to a response."""

    def __init__(self, service: SuspensionService) -> None:
        self._service = service

    async def ResumePrescription(
        self, request: pb.ResumePrescriptionRequest, context: Context
    ) -> pb.ResumePrescriptionResponse:
        resumed = await self._service.resume(current_caller(), read_uuid(request.prescription_id))
        return pb.ResumePrescriptionResponse(prescription=prescription_message(resumed))
