"""The exceptions that calls raise.

MedConnectError
├── InvalidArgument                the request is invalid; repeating it does not help
│   ├── ValidationFailed               `violations` names each field
│   ├── QrCodeInvalid                  not a QR code of this service, or a damaged one
│   ├── ReferenceNumberInvalid         wrong format, date or check character
│   ├── IdempotencyKeyReused           the key was used before with another request
│   ├── PasswordWrong                  the current password is wrong
│   ├── PasswordBreached               one of the most common passwords
│   ├── PasswordContext                the password contains an easily guessed word
│   ├── OtpInvalid                     the one-time code is wrong, used or expired
│   └── SecondFactorInvalid            the code of the second factor is missing, wrong or used
├── Unauthenticated                not signed in, or the session has ended
│   ├── InvalidCredentials             email or password is wrong
│   ├── RefreshTokenInvalid            the session has ended: sign in again
│   └── SecondFactorRequired           pass its `challenge` to `complete_sign_in`
├── PermissionDenied
│   ├── RoleNotAllowed                 the caller's role may not do this
│   ├── AccountNotVerified             an admin has not verified the licence yet
│   ├── EmailNotConfirmed              the code in the welcome email was not entered yet
│   ├── OtpRequired                    the medical history is not open: request a code
│   └── StepUpRequired                 verify the second factor first
├── NotFound                       does not exist, or is not visible to the caller
├── AlreadyExists
│   ├── EmailTaken
│   └── LicenseTaken                   another active account has the licence (admins)
├── Aborted                        a concurrent call came first
│   ├── VersionConflict                the record has a newer version
│   └── RequestInProgress              the first call with this key is still running
├── FailedPrecondition             not possible in the current `state`; nothing was changed
│   ├── PrescriptionState              the state does not allow this
│   ├── PrescriptionDispensed          final, since `changed_at`
│   ├── PrescriptionRejected           final, since `changed_at`
│   ├── PrescriptionCancelled          final, since `changed_at`
│   ├── PrescriptionExpired            final, since `changed_at`
│   ├── PrescriptionClosed             final, since `changed_at`
│   ├── NotYetValid                    it can be dispensed from `valid_from`
│   ├── ClaimedByOther                 claimed by another pharmacy until `claim_expires_at`
│   ├── PrescriptionClaimed            claimed by a pharmacist: the doctor cannot cancel it now
│   ├── QrCodeReplaced                 a newer code was issued
│   ├── QrCodeExpired
│   ├── PatientHasNoEmail
│   ├── RecipientDeactivated           the recipient's account is deactivated
│   ├── EmailNotFailed                 only a failed email can be retried
│   └── EmailExpired                   the code in the email has expired
├── ResourceExhausted
│   ├── RateLimitExceeded              try again after `retry_after` seconds
│   ├── TooManyStreams                 close an open stream first
│   ├── EmailLimitExceeded             the recipient has reached the daily limit of emails
│   └── SlowConsumer                   the stream was not read fast enough
├── Unavailable                    the server cannot be reached, or cannot serve the call now
├── DeadlineExceeded               the call did not finish in time
└── InternalError                  the server failed; `request_id` identifies the call in its log

Subclasses of status classes are reasons of `error_reason.proto`. One without a class is raised as that of its status.
"""

from collections.abc import Mapping
from datetime import date, datetime

from medconnect_client._failure import Failure as Failure
from medconnect_client._failure import FieldViolation as FieldViolation


class MedConnectError(Exception):
    """A call failed; the base class of all exceptions."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
        """The details of the failed call."""
        self.maybe_done = False
        """True if a command may have been carried out although no response confirms it. Repeating it with
        `idempotency_key` returns the outcome and never carries it out twice."""
        self.idempotency_key: str | None = None
        """The key that the command was sent with; None for a call without one."""

    @property
    def message(self) -> str:
        """A description of the failure, for people."""
        return self.failure.message

    @property
    def reason(self) -> str:
        """The service's reason, such as `PRESCRIPTION_DISPENSED`; empty if the failure is not the service's own."""
        return self.failure.reason

    @property
    def metadata(self) -> Mapping[str, str]:
        """Further details of the reason, by JSON name."""
        return self.failure.metadata

    @property
    def request_id(self) -> str:
        """Identifies the call in the server's log; empty if the call did not reach the server."""
        return self.failure.request_id

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before trying again; None if the server states none."""
        return self.failure.retry_after


class InvalidArgument(MedConnectError):
    """The request is invalid; repeating it does not help."""

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """The invalid fields that the service names."""
        return self.failure.violations

    def __str__(self) -> str:
        named = (f"{wrong.field}: {wrong.message.rstrip('.')}." for wrong in self.violations)
        return " ".join([self.message, *named])


class ValidationFailed(InvalidArgument):
    """One or more fields are invalid; `violations` names each."""


class QrCodeInvalid(InvalidArgument):
    """The text is not a QR code of this service, or it is damaged."""


class ReferenceNumberInvalid(InvalidArgument):
    """The text is not a reference number: its format, date or check character is wrong."""


class IdempotencyKeyReused(InvalidArgument):
    """The idempotency key was used before with another request."""


class PasswordWrong(InvalidArgument):
    """The current password is wrong."""


class PasswordBreached(InvalidArgument):
    """The new password is one of the most common, or a simple pattern."""


class PasswordContext(InvalidArgument):
    """The new password contains an easily guessed word, such as one of the account."""


class OtpInvalid(InvalidArgument):
    """The one-time code is wrong, used, expired, or was tried too often."""


class SecondFactorInvalid(InvalidArgument):
    """The code of the second factor is missing, wrong or was used before."""


class Unauthenticated(MedConnectError):
    """The client is not signed in, or its session has ended."""


class InvalidCredentials(Unauthenticated):
    """The email or the password is wrong."""


class RefreshTokenInvalid(Unauthenticated):
    """The session has ended: sign in again."""


class SecondFactorRequired(Unauthenticated):
    """The password is right, and the account has a second factor: `complete_sign_in` takes the challenge and a code."""

    @property
    def challenge(self) -> str:
        """The challenge, which works once, for five minutes."""
        return self.metadata["challenge"]


class PermissionDenied(MedConnectError):
    """The caller may not do this."""


class RoleNotAllowed(PermissionDenied):
    """The caller's role may not do this."""


class AccountNotVerified(PermissionDenied):
    """An admin has not verified the caller's licence yet."""


class EmailNotConfirmed(PermissionDenied):
    """The code in the welcome email has not been entered yet."""


class OtpRequired(PermissionDenied):
    """The medical history is not open: request a code by email and confirm it."""


class StepUpRequired(PermissionDenied):
    """The call needs a second factor that was verified within ten minutes: call `second_factors.verify` first."""


class NotFound(MedConnectError):
    """The object does not exist, or it is not visible to the caller."""


class AlreadyExists(MedConnectError):
    """The object exists already."""


class EmailTaken(AlreadyExists):
    """An account with this email address exists already."""


class LicenseTaken(AlreadyExists):
    """Another active account has this licence; `failure.metadata["accountId"]` is its id."""


class Aborted(MedConnectError):
    """A concurrent call came first."""


class VersionConflict(Aborted):
    """The record has changed since the version that the update names."""


class RequestInProgress(Aborted):
    """The first call with this idempotency key is still running."""


class FailedPrecondition(MedConnectError):
    """The current state does not allow this; nothing was changed."""

    @property
    def state(self) -> str:
        """The prescription's current state in lower case, such as `dispensed`; empty if it is not stated."""
        return self.metadata.get("state", "")

    @property
    def changed_at(self) -> datetime | None:
        """The time when the prescription reached its final state."""
        return self._moment("changedAt")

    @property
    def claim_expires_at(self) -> datetime | None:
        """The time when another pharmacy's claim expires."""
        return self._moment("claimExpiresAt")

    def _moment(self, key: str) -> datetime | None:
        text = self.metadata.get(key)
        return datetime.fromisoformat(text) if text else None


class PrescriptionState(FailedPrecondition):
    """The prescription's current state does not allow this."""


class PrescriptionDispensed(FailedPrecondition):
    """The prescription has been dispensed in full."""


class PrescriptionRejected(FailedPrecondition):
    """A pharmacist has rejected the prescription."""


class PrescriptionCancelled(FailedPrecondition):
    """Its doctor has cancelled the prescription."""


class PrescriptionExpired(FailedPrecondition):
    """The prescription has expired."""


class PrescriptionClosed(FailedPrecondition):
    """A pharmacist has closed the rest of the prescription."""


class NotYetValid(FailedPrecondition):
    """The prescription can be dispensed from a later day."""

    @property
    def valid_from(self) -> date:
        """The first day on which it can be dispensed, in the hospital's time zone."""
        return date.fromisoformat(self.metadata["validFrom"])


class ClaimedByOther(FailedPrecondition):
    """Another pharmacy has claimed the prescription."""


class PrescriptionClaimed(FailedPrecondition):
    """A pharmacist has claimed the prescription: it cannot be cancelled now; `metadata` names the pharmacy to call."""


class QrCodeReplaced(FailedPrecondition):
    """A newer QR code was issued for the prescription."""


class QrCodeExpired(FailedPrecondition):
    """The QR code has expired; its patient or doctor can issue a new one."""


class PatientHasNoEmail(FailedPrecondition):
    """The patient has no email address."""


class RecipientDeactivated(FailedPrecondition):
    """The recipient's account is deactivated; no email goes to it."""


class EmailNotFailed(FailedPrecondition):
    """Only a failed email can be put back into the queue."""


class EmailExpired(FailedPrecondition):
    """The code in the email has expired; request a new one."""


class ResourceExhausted(MedConnectError):
    """A limit of the service is exceeded."""


class RateLimitExceeded(ResourceExhausted):
    """Too many requests; the next one is allowed after `retry_after` seconds."""


class TooManyStreams(ResourceExhausted):
    """The caller has five streams open and must close one first."""


class EmailLimitExceeded(ResourceExhausted):
    """The recipient has reached the daily limit of emails; the next one is allowed after `retry_after` seconds."""


class SlowConsumer(ResourceExhausted):
    """The server ended a stream that was not read fast enough; it can be resumed."""


class Unavailable(MedConnectError):
    """The server cannot be reached, or cannot serve the call at the moment."""


class DeadlineExceeded(MedConnectError):
    """The call did not finish in time."""


class InternalError(MedConnectError):
    """The service failed, or it sent a response that this client does not understand."""
