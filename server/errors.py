"""Every way in which a call can fail, declared once.

Services and rules raise these; `status.py` turns them into gRPC statuses. Each reason is published in
`error_reason.proto`, and the server does not start when the two differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from server.reasons import Code, Reason


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field, by its path in JSON names (`items[0].quantity`), and in words for a person what it must hold."""

    field: str
    message: str


MetadataValue = str | int | datetime


class DeclaredError(Exception):
    """A failure that callers are told about.

    `message` is for people and holds nothing secret. `violations` name bad fields, `retry_after` says in seconds when
    to try again, `metadata` holds what the reason's rule in `error_reason.proto` lists, in snake case.
    """

    code: ClassVar[Code]
    reason: ClassVar[Reason]
    message: ClassVar[str] = ""
    """What is said when the raiser says nothing more precise."""

    def __init__(
        self,
        message: str = "",
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
        **metadata: MetadataValue,
    ) -> None:
        self.text = message or self.message
        super().__init__(self.text)
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.metadata = metadata


class InvalidArgument(DeclaredError):
    """The request itself is wrong; repeating it cannot help."""

    code = Code.INVALID_ARGUMENT


class ValidationFailed(InvalidArgument):
    """Fields do not hold what they must."""

    reason = Reason.VALIDATION_FAILED
    message = "The request has invalid fields."

    @classmethod
    def of(cls, field: str, message: str) -> "ValidationFailed":
        """The failure of one field, by its path in JSON names."""
        return cls(violations=[FieldViolation(field, message)])


class MalformedBody(InvalidArgument):
    """The body is no message of the request type."""

    reason = Reason.MALFORMED_BODY
    message = "The request body cannot be read."


class QrCodeInvalid(InvalidArgument):
    """The text is no QR code of this service, or a damaged one: one error for every kind of damage."""

    reason = Reason.QR_CODE_INVALID
    message = "This is not a valid MedConnect QR code."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("qrCode", self.message)])


class ReferenceNumberInvalid(InvalidArgument):
    """Wrong shape, date or check character."""

    reason = Reason.REFERENCE_NUMBER_INVALID
    message = "This is not a valid reference number."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("referenceNumber", self.message)])


class PageTokenInvalid(InvalidArgument):
    """The page token was not issued to this caller for this filter."""

    reason = Reason.PAGE_TOKEN_INVALID
    message = "This page token does not belong to this list."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("pageToken", self.message)])


class IdempotencyKeyInvalid(InvalidArgument):
    """The idempotency key is not 16 to 255 printable ASCII characters."""

    reason = Reason.IDEMPOTENCY_KEY_INVALID
    message = "An idempotency key has 16 to 255 printable ASCII characters."


class IdempotencyKeyReused(InvalidArgument):
    """The idempotency key was used before, with another request."""

    reason = Reason.IDEMPOTENCY_KEY_REUSED
    message = "This idempotency key was used with another request."


class Unauthenticated(DeclaredError):
    """No valid access token came with the call."""

    code = Code.UNAUTHENTICATED
    reason = Reason.UNAUTHENTICATED
    message = "Sign in first."


class InvalidCredentials(Unauthenticated):
    """E-mail and password do not open an account."""

    reason = Reason.INVALID_CREDENTIALS
    message = "E-mail or password is wrong."


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is unknown, used, expired or revoked."""

    reason = Reason.REFRESH_TOKEN_INVALID
    message = "Sign in again."


class PermissionDenied(DeclaredError):
    """The caller is known and may not do this."""

    code = Code.PERMISSION_DENIED


class RoleNotAllowed(PermissionDenied):
    """The caller's role may not call this method."""

    reason = Reason.ROLE_NOT_ALLOWED
    message = "Your role may not do this."


class AccountNotVerified(PermissionDenied):
    """An admin has not verified the caller's licence yet."""

    reason = Reason.ACCOUNT_NOT_VERIFIED
    message = "Your licence has not been verified yet."


class NotFound(DeclaredError):
    """There is no such thing, or it is not the caller's: the two answer alike."""

    code = Code.NOT_FOUND
    reason = Reason.RESOURCE_NOT_FOUND

    def __init__(self, resource: str) -> None:
        super().__init__(f"There is no such {resource}.", resource=resource)


class EmailTaken(DeclaredError):
    """An account with this e-mail exists."""

    code = Code.ALREADY_EXISTS
    reason = Reason.EMAIL_TAKEN
    message = "An account with this e-mail exists."


class Aborted(DeclaredError):
    """Somebody else was faster; repeating the call can help."""

    code = Code.ABORTED


class VersionConflict(Aborted):
    """The record has another version by now; `version` is the present one."""

    reason = Reason.VERSION_CONFLICT
    message = "The record was changed by somebody else."


class RequestInProgress(Aborted):
    """The first call with this idempotency key is still running."""

    reason = Reason.REQUEST_IN_PROGRESS
    message = "The first request with this idempotency key is still running."

    def __init__(self) -> None:
        super().__init__(retry_after=1)


class FailedPrecondition(DeclaredError):
    """The present state does not allow this; nothing was changed."""

    code = Code.FAILED_PRECONDITION


class PrescriptionInState(FailedPrecondition):
    """The prescription's present `state` does not allow this."""

    reason = Reason.PRESCRIPTION_STATE
    message = "The prescription's state does not allow this."


class PrescriptionDispensed(FailedPrecondition):
    """The prescription has been dispensed in full; `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_DISPENSED
    message = "The prescription has already been dispensed."


class PrescriptionRejected(FailedPrecondition):
    """A pharmacist has rejected the prescription; `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_REJECTED
    message = "The prescription has been rejected."


class PrescriptionCancelled(FailedPrecondition):
    """Its doctor has cancelled the prescription; `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_CANCELLED
    message = "The prescription has been cancelled by its doctor."


class PrescriptionExpired(FailedPrecondition):
    """The prescription's validity is over; `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_EXPIRED
    message = "The prescription has expired."


class ClaimedByOther(FailedPrecondition):
    """Another pharmacist holds the claim; `state`, `claim_expires_at`."""

    reason = Reason.CLAIMED_BY_OTHER
    message = "Another pharmacist is dispensing this prescription."


class PrescriptionClaimed(FailedPrecondition):
    """A pharmacy holds it; `state`, `pharmacy_name`, `pharmacy_phone`, `claim_expires_at` tell its doctor."""

    reason = Reason.PRESCRIPTION_CLAIMED
    message = "A pharmacy is dispensing this prescription."


class QrCodeReplaced(FailedPrecondition):
    """A newer QR code was issued for the prescription."""

    reason = Reason.QR_CODE_REPLACED
    message = "A newer QR code was issued for this prescription."


class QrCodeExpired(FailedPrecondition):
    """The QR code's validity is over; `expired_at`."""

    reason = Reason.QR_CODE_EXPIRED
    message = "This QR code has expired."


class PatientHasNoEmail(FailedPrecondition):
    """The patient has no e-mail address."""

    reason = Reason.PATIENT_HAS_NO_EMAIL
    message = "The patient has no e-mail address."


class ResourceExhausted(DeclaredError):
    """A budget is used up."""

    code = Code.RESOURCE_EXHAUSTED


class RateLimitExceeded(ResourceExhausted):
    """Too many calls; `limit` names the budget, `retry_after` says when."""

    reason = Reason.RATE_LIMIT_EXCEEDED
    message = "Too many requests, please try again later."


class BodyTooLarge(ResourceExhausted):
    """The request's body is larger than the server takes."""

    reason = Reason.BODY_TOO_LARGE
    message = "The request is too large."


class MethodUnknown(DeclaredError):
    """There is no such method."""

    code = Code.UNIMPLEMENTED
    reason = Reason.METHOD_UNKNOWN
    message = "There is no such method."


class Internal(DeclaredError):
    """What is not declared: logged under the request id, hidden from the caller."""

    code = Code.INTERNAL
    reason = Reason.INTERNAL
    message = "Internal error."


class Unavailable(DeclaredError):
    """Not now; the same call may succeed in a moment."""

    code = Code.UNAVAILABLE

    def __init__(self, message: str = "") -> None:
        super().__init__(message, retry_after=1)


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or a statement's time was over."""

    reason = Reason.DATABASE_UNAVAILABLE
    message = "The service is temporarily unavailable."


class ServerBusy(Unavailable):
    """Every connection, lock or worker is taken."""

    reason = Reason.SERVER_BUSY
    message = "The service is busy."


class Draining(Unavailable):
    """The server is shutting down; another one answers."""

    reason = Reason.DRAINING
    message = "The server is shutting down."


class DeadlineExceeded(DeclaredError):
    """The call's time was over before the work was done."""

    code = Code.DEADLINE_EXCEEDED
    reason = Reason.DEADLINE_EXCEEDED
    message = "The call took too long."
