"""Errors of the email queue and of streams."""

from server.errors.declared import FailedPrecondition, ResourceExhausted
from server.errors.reasons import Reason
from server.errors.requests import RateLimitExceeded


class EmailLimitExceeded(RateLimitExceeded):
    """The recipient's daily limit of emails is reached; `retry_after` is the time until the next one is allowed."""

    reason = Reason.EMAIL_LIMIT_EXCEEDED
    message = "This recipient has been sent too many emails today."


class EmailNotFailed(FailedPrecondition):
    """The email's `status` is not failed."""

    reason = Reason.EMAIL_NOT_FAILED
    message = "Only a failed email can be put back into the queue."


class RecipientDeactivated(FailedPrecondition):
    """The recipient's account is deactivated."""

    reason = Reason.RECIPIENT_DEACTIVATED
    message = "The patient's account is deactivated; no email is sent to it."


class EmailExpired(FailedPrecondition):
    """The code that the email contained has been erased."""

    reason = Reason.EMAIL_EXPIRED
    message = "The code in this email has been erased. Request a new one."


class SlowConsumer(ResourceExhausted):
    """The client of a stream stopped reading it."""

    reason = Reason.SLOW_CONSUMER
    message = "You stopped reading the stream. Resume it after the last message that you received."
