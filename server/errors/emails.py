"""What the mail queue and its watchers are refused."""

from server.errors.declared import FailedPrecondition, ResourceExhausted
from server.errors.reasons import Reason
from server.errors.requests import RateLimitExceeded


class EmailLimitExceeded(RateLimitExceeded):
    """The recipient was sent as many mails as a day allows; `retry_after` says when there is room."""

    reason = Reason.EMAIL_LIMIT_EXCEEDED
    message = "This recipient has been sent too many mails today."


class EmailNotFailed(FailedPrecondition):
    """The mail's `status` is not failed."""

    reason = Reason.EMAIL_NOT_FAILED
    message = "Only a failed mail can be put back into the queue."


class RecipientDeactivated(FailedPrecondition):
    """The recipient's account is deactivated."""

    reason = Reason.RECIPIENT_DEACTIVATED
    message = "The patient's account is deactivated; no email goes to it."


class EmailExpired(FailedPrecondition):
    """The code that the mail carried is erased."""

    reason = Reason.EMAIL_EXPIRED
    message = "The code of this mail is gone. Ask for a new one."


class SlowConsumer(ResourceExhausted):
    """The caller of a stream did not read what was sent."""

    reason = Reason.SLOW_CONSUMER
    message = "The stream was not read. Resume it behind the last message that was received."
