"""The gRPC servicer of PharmacyService."""

from typing import Any

import grpc
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pb
from medconnect.pharmacy.v1 import pharmacy_service_pb2_grpc

from server.api.pharmacy import mapping
from server.api.wire import page_request, read_uuid
from server.identity import current_caller
from server.pharmacy.services.pharmacy import PharmacyService

Context = grpc.aio.ServicerContext[Any, Any]


class PharmacyServicer(pharmacy_service_pb2_grpc.PharmacyServiceServicer):
    """Maps each call to the service and its results to responses."""

    def __init__(self, service: PharmacyService) -> None:
        self._service = service

    async def ScanQrCode(self, request: pb.ScanQrCodeRequest, context: Context) -> pb.ScanQrCodeResponse:
        found = await self._service.scan(current_caller(), request.qr_code)
        return mapping.scan_response(found)

    async def LookupPrescriptions(
        self, request: pb.LookupPrescriptionsRequest, context: Context
    ) -> pb.LookupPrescriptionsResponse:
        result = await self._service.look_up(current_caller(), request.reference_number)
        return mapping.lookup_response(result)

    async def ValidatePrescription(
        self, request: pb.ValidatePrescriptionRequest, context: Context
    ) -> pb.ValidatePrescriptionResponse:
        prescription_id = read_uuid(request.prescription_id)
        validation = await self._service.validate(current_caller(), prescription_id, request.notes)
        return mapping.validate_response(validation)

    async def DispensePrescription(
        self, request: pb.DispensePrescriptionRequest, context: Context
    ) -> pb.DispensePrescriptionResponse:
        prescription_id = read_uuid(request.prescription_id)
        lines = mapping.dispense_lines(request)
        dispensed = await self._service.dispense(current_caller(), prescription_id, lines, request.notes)
        return mapping.dispense_response(dispensed)

    async def RejectPrescription(
        self, request: pb.RejectPrescriptionRequest, context: Context
    ) -> pb.RejectPrescriptionResponse:
        prescription_id = read_uuid(request.prescription_id)
        rejected = await self._service.reject(current_caller(), prescription_id, request.reason)
        return pb.RejectPrescriptionResponse(prescription=mapping.prescription_message(rejected))

    async def ClosePrescription(
        self, request: pb.ClosePrescriptionRequest, context: Context
    ) -> pb.ClosePrescriptionResponse:
        prescription_id = read_uuid(request.prescription_id)
        closed = await self._service.close(current_caller(), prescription_id, request.reason)
        return pb.ClosePrescriptionResponse(prescription=mapping.prescription_message(closed))

    async def ReleasePrescription(
        self, request: pb.ReleasePrescriptionRequest, context: Context
    ) -> pb.ReleasePrescriptionResponse:
        released = await self._service.release(current_caller(), read_uuid(request.prescription_id))
        return pb.ReleasePrescriptionResponse(prescription=mapping.prescription_message(released))

    async def EndClaim(self, request: pb.EndClaimRequest, context: Context) -> pb.EndClaimResponse:
        freed = await self._service.end_claim(current_caller(), read_uuid(request.prescription_id))
        return mapping.end_claim_response(freed)

    async def ListDispensingHistory(
        self, request: pb.ListDispensingHistoryRequest, context: Context
    ) -> pb.ListDispensingHistoryResponse:
        wanted = mapping.history_filter(request)
        page = await self._service.history(current_caller(), wanted, page_request(request))
        return mapping.history_response(page)

    async def ListPrescriptionLog(
        self, request: pb.ListPrescriptionLogRequest, context: Context
    ) -> pb.ListPrescriptionLogResponse:
        prescription_id = read_uuid(request.prescription_id)
        page = await self._service.log(current_caller(), prescription_id, page_request(request))
        return mapping.log_response(page)

    async def GetDispensingSummary(
        self, request: pb.GetDispensingSummaryRequest, context: Context
    ) -> pb.GetDispensingSummaryResponse:
        receipt = await self._service.receipt(current_caller(), read_uuid(request.prescription_id))
        return mapping.summary_response(receipt)
