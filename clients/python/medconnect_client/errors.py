"""What a call can fail with.

MedConnectError
├── InvalidArgument                what was sent is wrong, and stays wrong
│   ├── ValidationFailed               `violations` names each field
│   ├── QrCodeInvalid                  no code of this service, or a damaged one
│   ├── ReferenceNumberInvalid         wrong shape, date or check character
│   ├── IdempotencyKeyReused           the key was used before, with another request
│   ├── PasswordWrong                  the present password that was given is wrong
│   ├── PasswordBreached               one of the commonest passwords
│   ├── PasswordContext                a password with a word that everybody would try
│   └── OtpInvalid                     a one-time code that is wrong, used, or too old
├── Unauthenticated                sign in first; a session that has ended says so too
│   ├── InvalidCredentials             e-mail and password open no account
│   └── RefreshTokenInvalid            the session is over: sign in again
├── PermissionDenied
│   ├── RoleNotAllowed                 not with this role
│   ├── AccountNotVerified             an admin has not checked the licence yet
│   ├── EmailNotConfirmed              the code of the welcome mail was not entered yet
│   └── OtpRequired                    the medical history is closed: have a code mailed
├── NotFound                       there is no such thing, or it is not the caller's
├── AlreadyExists
│   └── EmailTaken
├── Aborted                        somebody else was faster
│   ├── VersionConflict                the record has a newer version
│   └── RequestInProgress              the first call with this key still runs
├── FailedPrecondition             not in the present `state`; nothing was changed
│   ├── PrescriptionState              the state does not allow this
│   ├── PrescriptionDispensed          final, since `changed_at`
│   ├── PrescriptionRejected           final, since `changed_at`
│   ├── PrescriptionCancelled          final, since `changed_at`
│   ├── PrescriptionExpired            final, since `changed_at`
│   ├── ClaimedByOther                 another pharmacist holds it, until `claim_expires_at`
│   ├── PrescriptionClaimed            a pharmacy holds it: its doctor cannot cancel now
│   ├── QrCodeReplaced                 a newer code was issued
│   ├── QrCodeExpired
│   ├── PatientHasNoEmail
│   ├── RecipientDeactivated           the recipient's account is deactivated
│   ├── EmailNotFailed                 only a failed mail can be put back
│   └── EmailExpired                   the code that it carried is gone
├── ResourceExhausted
│   ├── RateLimitExceeded              `retry_after` says when
│   ├── TooManyStreams                 one that is open must end first
│   ├── EmailLimitExceeded             the recipient got enough mails today
│   └── SlowConsumer                   a stream that was not read for too long
├── Unavailable                    the server cannot be reached, or cannot work now
├── DeadlineExceeded               the time was over
└── InternalError                  something failed inside; `request_id` finds it in the server's log

Each class below a status is a reason of `error_reason.proto`. A reason without a class of its own, or one that a newer
server gives, is an instance of its status' class; `reason` tells it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field that does not hold what it must."""

    field: str
    """Its JSON path, such as `items[0].quantity`."""
    message: str
    """What is wrong with it, for people."""


@dataclass(frozen=True, slots=True)
class Failure:
    """All that is known of why a call failed."""

    message: str
    """For people."""
    reason: str = ""
    """The service's reason, such as `PRESCRIPTION_DISPENSED`; empty if the call never got an answer from it."""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What the reason tells more, by JSON name."""
    request_id: str = ""
    """Finds the call in the server's log."""
    retry_after: float | None = None
    """Seconds after which the server asks to try again."""
    violations: tuple[FieldViolation, ...] = ()


class MedConnectError(Exception):
    """A call that did not succeed; the base of all."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
        """All that is known of it."""
        self.maybe_done = False
        """True: a command may have been carried out although no answer says so. Repeating it with `idempotency_key`
        tells, and never carries it out twice."""
        self.idempotency_key: str | None = None
        """The key that the command was sent with; None for what has none."""

    @property
    def message(self) -> str:
        """What happened, for people."""
        return self.failure.message

    @property
    def reason(self) -> str:
        """The service's reason, such as `PRESCRIPTION_DISPENSED`; empty if the failure is none of the service's own."""
        return self.failure.reason

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the reason tells more, by JSON name."""
        return self.failure.metadata

    @property
    def request_id(self) -> str:
        """Finds the call in the server's log; empty if it never got there."""
        return self.failure.request_id

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server asks to try again, if it does."""
        return self.failure.retry_after


class InvalidArgument(MedConnectError):
    """What was sent is wrong, and stays wrong."""

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """The fields that are wrong, as far as the service names them."""
        return self.failure.violations

    def __str__(self) -> str:
        named = (f"{wrong.field}: {wrong.message.rstrip('.')}." for wrong in self.violations)
        return " ".join([self.message, *named])


class ValidationFailed(InvalidArgument):
    """A field does not hold what it must; `violations` names each."""


class QrCodeInvalid(InvalidArgument):
    """The text is no QR code of this service, or a damaged one."""


class ReferenceNumberInvalid(InvalidArgument):
    """The text is no reference number: wrong shape, date or check character."""


class IdempotencyKeyReused(InvalidArgument):
    """The idempotency key was used before, with another request."""


class PasswordWrong(InvalidArgument):
    """The present password that was given is wrong."""


class PasswordBreached(InvalidArgument):
    """The new password is one of the commonest, or a simple pattern."""


class PasswordContext(InvalidArgument):
    """The new password holds a word that everybody would try first."""


class OtpInvalid(InvalidArgument):
    """The one-time code is wrong, used, too old, or was tried too often."""


class Unauthenticated(MedConnectError):
    """Nobody is signed in, or the session has ended."""


class InvalidCredentials(Unauthenticated):
    """E-mail and password do not open an account."""


class RefreshTokenInvalid(Unauthenticated):
    """The session is over: sign in again."""


class PermissionDenied(MedConnectError):
    """The caller may not do this."""


class RoleNotAllowed(PermissionDenied):
    """The caller's role may not do this."""


class AccountNotVerified(PermissionDenied):
    """An admin has not verified the caller's licence yet."""


class EmailNotConfirmed(PermissionDenied):
    """The code of the welcome mail has not been entered yet."""


class OtpRequired(PermissionDenied):
    """The medical history is closed: have a code mailed and enter it."""


class NotFound(MedConnectError):
    """There is no such thing, or it is not the caller's."""


class AlreadyExists(MedConnectError):
    """There is one already."""


class EmailTaken(AlreadyExists):
    """An account with this e-mail exists."""


class Aborted(MedConnectError):
    """Somebody else was faster."""


class VersionConflict(Aborted):
    """The record was changed by somebody else since the version that the update names."""


class RequestInProgress(Aborted):
    """The first call with this idempotency key is still running."""


class FailedPrecondition(MedConnectError):
    """The present state does not allow this; nothing was changed."""

    @property
    def state(self) -> str:
        """The prescription's present state in lower case, such as `dispensed`; empty if the service does not say."""
        return self.metadata.get("state", "")

    @property
    def changed_at(self) -> datetime | None:
        """Since when a final state holds."""
        return self._moment("changedAt")

    @property
    def claim_expires_at(self) -> datetime | None:
        """Until when another pharmacist's claim lasts."""
        return self._moment("claimExpiresAt")

    def _moment(self, key: str) -> datetime | None:
        text = self.metadata.get(key)
        return datetime.fromisoformat(text) if text else None


class PrescriptionState(FailedPrecondition):
    """The prescription's present state does not allow this."""


class PrescriptionDispensed(FailedPrecondition):
    """The prescription has been dispensed in full."""


class PrescriptionRejected(FailedPrecondition):
    """A pharmacist has rejected the prescription."""


class PrescriptionCancelled(FailedPrecondition):
    """Its doctor has cancelled the prescription."""


class PrescriptionExpired(FailedPrecondition):
    """The prescription's validity is over."""


class ClaimedByOther(FailedPrecondition):
    """Another pharmacist holds the claim."""


class PrescriptionClaimed(FailedPrecondition):
    """A pharmacy holds the prescription: its doctor cannot cancel it now, but can call (`metadata` names it)."""


class QrCodeReplaced(FailedPrecondition):
    """A newer QR code was issued for the prescription."""


class QrCodeExpired(FailedPrecondition):
    """The QR code's validity is over; its patient or doctor can issue a new one."""


class PatientHasNoEmail(FailedPrecondition):
    """The patient has no e-mail address."""


class RecipientDeactivated(FailedPrecondition):
    """The recipient's account is deactivated; no email goes to it."""


class EmailNotFailed(FailedPrecondition):
    """Only a failed mail can be put back into the queue."""


class EmailExpired(FailedPrecondition):
    """The mail carried a code that is gone; ask for a new one."""


class ResourceExhausted(MedConnectError):
    """More than the service takes."""


class RateLimitExceeded(ResourceExhausted):
    """Too many requests; `retry_after` says when the next one is let in."""


class TooManyStreams(ResourceExhausted):
    """The caller has five streams open; one of them must end first."""


class EmailLimitExceeded(ResourceExhausted):
    """The recipient was sent as many mails as a day allows; `retry_after` says when there is room."""


class SlowConsumer(ResourceExhausted):
    """The stream was not read for so long that it was ended; it can be resumed."""


class Unavailable(MedConnectError):
    """The server cannot be reached, or cannot work at the moment."""


class DeadlineExceeded(MedConnectError):
    """The time was over before the work was done."""


class InternalError(MedConnectError):
    """Something failed inside the service, or it answered what this client does not understand."""
