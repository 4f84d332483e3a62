"""The gRPC servicer of SecondFactorService."""

from typing import Any

import grpc
from medconnect.auth.v1 import second_factor_service_pb2 as pb
from medconnect.auth.v1 import second_factor_service_pb2_grpc

from server.api.auth import mapping
from server.api.auth import second_factor_mapping as factors
from server.api.wire import read_uuid, timestamp
from server.auth.services.second_factors import SecondFactorService
from server.auth.services.second_step import SecondStep
from server.identity import current_address, current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class SecondFactorServicer(second_factor_service_pb2_grpc.SecondFactorServiceServicer):
    """Maps each call to the services and their results to responses."""

    def __init__(self, second_step: SecondStep, service: SecondFactorService) -> None:
        self._second_step = second_step
        self._service = service

    async def CompleteSignIn(self, request: pb.CompleteSignInRequest, context: Context) -> pb.CompleteSignInResponse:
        signed_in = await self._second_step.complete(request.challenge, request.code, current_address())
        return mapping.complete_sign_in_response(signed_in)

    async def GetSecondFactors(
        self, request: pb.GetSecondFactorsRequest, context: Context
    ) -> pb.GetSecondFactorsResponse:
        return factors.factors_response(await self._service.overview(current_caller()))

    async def EnrolTotp(self, request: pb.EnrolTotpRequest, context: Context) -> pb.EnrolTotpResponse:
        caller, address = current_caller(), current_address()
        app = await self._service.enrol_app(caller, request.current_password, request.label, address)
        return factors.enrol_response(app)

    async def ConfirmTotp(self, request: pb.ConfirmTotpRequest, context: Context) -> pb.ConfirmTotpResponse:
        caller, factor_id = current_caller(), read_uuid(request.factor_id)
        factor, codes = await self._service.confirm_app(caller, factor_id, request.code, current_address())
        return factors.confirm_response(factor, codes)

    async def RemoveSecondFactor(
        self, request: pb.RemoveSecondFactorRequest, context: Context
    ) -> pb.RemoveSecondFactorResponse:
        await self._service.remove(current_caller(), read_uuid(request.factor_id))
        return pb.RemoveSecondFactorResponse()

    async def RenewRecoveryCodes(
        self, request: pb.RenewRecoveryCodesRequest, context: Context
    ) -> pb.RenewRecoveryCodesResponse:
        codes = await self._service.renew_recovery_codes(current_caller())
        return pb.RenewRecoveryCodesResponse(recovery_codes=codes)

    async def VerifySecondFactor(
        self, request: pb.VerifySecondFactorRequest, context: Context
    ) -> pb.VerifySecondFactorResponse:
        until = await self._service.verify(current_caller(), request.code, current_address())
        return pb.VerifySecondFactorResponse(verified_until=timestamp(until))

    async def ResetSecondFactors(
        self, request: pb.ResetSecondFactorsRequest, context: Context
    ) -> pb.ResetSecondFactorsResponse:
        caller, user_id = current_caller(), read_uuid(request.user_id)
        ended = await self._service.reset(caller, user_id, allow_password_reset=request.allow_password_reset)
        return pb.ResetSecondFactorsResponse(ended_sessions=ended)
