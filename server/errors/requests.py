"""What is wrong with a request itself, or with its moment."""

from server.errors.declared import Aborted, DeclaredError, FieldViolation, InvalidArgument, ResourceExhausted
from server.errors.reasons import Code, Reason


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
    """There is no such thing, or it is not the caller's: the two answer alike."""

    code = Code.NOT_FOUND
    reason = Reason.RESOURCE_NOT_FOUND

    def __init__(self, resource: str) -> None:
        super().__init__(f"There is no such {resource}.", resource=resource)


class VersionConflict(Aborted):
    """The record has another version by now; `version` is the present one."""

    reason = Reason.VERSION_CONFLICT
    message = "The record was changed by somebody else."


class RateLimitExceeded(ResourceExhausted):
    """Too many calls; `limit` names the budget, `retry_after` says when."""

    reason = Reason.RATE_LIMIT_EXCEEDED
    message = "Too many requests, please try again later."


class TooManyStreams(ResourceExhausted):
    """The caller has as many streams open as he may."""

    reason = Reason.TOO_MANY_STREAMS
    message = "Too many streams are open, please close one first."


class BodyTooLarge(ResourceExhausted):
    """The request's body is larger than the server takes."""

    reason = Reason.BODY_TOO_LARGE
    message = "The request is too large."


class MethodUnknown(DeclaredError):
    """There is no such method."""

    code = Code.UNIMPLEMENTED
    reason = Reason.METHOD_UNKNOWN
    message = "There is no such method."
