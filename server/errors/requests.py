"""Errors of the request itself: its format, key, version, limits and method."""

from server.errors.declared import Aborted, DeclaredError, FieldViolation, InvalidArgument, ResourceExhausted
from server.errors.reasons import Code, Reason


class ValidationFailed(InvalidArgument):
    """The request has invalid fields."""

    reason = Reason.VALIDATION_FAILED
    message = "The request has invalid fields."

    @classmethod
    def of(cls, field: str, message: str) -> "ValidationFailed":
        """Returns the error for one field, by its path in JSON names."""
        return cls(violations=[FieldViolation(field, message)])


class MalformedBody(InvalidArgument):
    """The body is not a message of the request type."""

    reason = Reason.MALFORMED_BODY
    message = "The request body cannot be read."


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


class RequestInProgress(Aborted):
    """The first call with this idempotency key is still running."""

    reason = Reason.REQUEST_IN_PROGRESS
    message = "The first request with this idempotency key is still running."

    def __init__(self) -> None:
        super().__init__(retry_after=1)


class NotFound(DeclaredError):
    """The resource does not exist or is not visible to the caller; the error is the same for both."""

    code = Code.NOT_FOUND
    reason = Reason.RESOURCE_NOT_FOUND

    def __init__(self, resource: str) -> None:
        super().__init__(f"There is no such {resource}.", resource=resource)


class VersionConflict(Aborted):
    """The record has a newer version. Metadata: `version`, the current one."""

    reason = Reason.VERSION_CONFLICT
    message = "The record has been changed since you read it."


class RateLimitExceeded(ResourceExhausted):
    """The caller made too many calls. `limit` names the rate limit, `retry_after` is the time to wait."""

    reason = Reason.RATE_LIMIT_EXCEEDED
    message = "Too many requests, please try again later."


class PatientReadLimit(RateLimitExceeded):
    """The caller has been shown the data of as many patients as an hour allows; `retry_after` is the time to wait."""

    reason = Reason.PATIENT_READ_LIMIT
    message = "You have opened the records of too many patients within an hour."


class TooManyStreams(ResourceExhausted):
    """The caller has the maximum number of streams open."""

    reason = Reason.TOO_MANY_STREAMS
    message = "Too many streams are open, please close one first."


class BodyTooLarge(ResourceExhausted):
    """The request's body is larger than the server accepts."""

    reason = Reason.BODY_TOO_LARGE
    message = "The request is too large."


class MethodUnknown(DeclaredError):
    """There is no such method."""

    code = Code.UNIMPLEMENTED
    reason = Reason.METHOD_UNKNOWN
    message = "There is no such method."
