"""Calls about second factors: the caller's own, and for admins those of others."""

from datetime import UTC, datetime

from medconnect.auth.v1 import second_factor_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._wire import read
from medconnect_client.models import ConfirmedTotp, NewTotp, SecondFactors


class AsyncSecondFactors:
    """The SecondFactor service; `complete_sign_in` is a method of the client."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def current(self) -> SecondFactors:
        """Gets the caller's second factors, and whether the account must have one."""
        return read(SecondFactors, await self._calls.unary(pb.GetSecondFactorsRequest(), pb.GetSecondFactorsResponse))

    async def enrol_totp(self, current_password: str, *, label: str = "") -> NewTotp:
        """Starts to add an authenticator app; `confirm_totp` adds it. Raises PasswordWrong, StepUpRequired."""
        request = pb.EnrolTotpRequest(current_password=current_password, label=label or None)
        return read(NewTotp, await self._calls.unary(request, pb.EnrolTotpResponse))

    async def confirm_totp(self, factor_id: str, code: str) -> ConfirmedTotp:
        """Adds the app with a code that it shows. Raises SecondFactorInvalid, NotFound."""
        request = pb.ConfirmTotpRequest(factor_id=factor_id, code=code)
        return read(ConfirmedTotp, await self._calls.unary(request, pb.ConfirmTotpResponse))

    async def remove(self, factor_id: str) -> None:
        """Removes a second factor. Raises NotFound, StepUpRequired, FailedPrecondition."""
        request = pb.RemoveSecondFactorRequest(factor_id=factor_id)
        await self._calls.unary(request, pb.RemoveSecondFactorResponse)

    async def renew_recovery_codes(self) -> tuple[str, ...]:
        """Replaces the recovery codes and returns the new ones. Raises StepUpRequired, PermissionDenied."""
        answer = await self._calls.unary(pb.RenewRecoveryCodesRequest(), pb.RenewRecoveryCodesResponse)
        return tuple(answer.recovery_codes)

    async def verify(self, code: str) -> datetime:
        """Verifies a second factor again. Returns until when step-ups accept it. Raises SecondFactorInvalid."""
        request = pb.VerifySecondFactorRequest(code=code)
        answer = await self._calls.unary(request, pb.VerifySecondFactorResponse)
        return answer.verified_until.ToDatetime(tzinfo=UTC)

    async def reset(
        self, user_id: str, *, allow_password_reset: bool = False, idempotency_key: str | None = None
    ) -> int:
        """Removes the second factors of an account and ends its sessions (admins). Returns how many sessions.

        allow_password_reset: for 24 hours an emailed code alone sets a new password. Raises NotFound, StepUpRequired.
        """
        request = pb.ResetSecondFactorsRequest(user_id=user_id, allow_password_reset=allow_password_reset or None)
        answer = await self._calls.unary(request, pb.ResetSecondFactorsResponse, key=idempotency_key)
        return answer.ended_sessions
