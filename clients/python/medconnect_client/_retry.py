"""Rules for retrying failed calls, as plain functions over values.

Source: the gRPC retry design (A6): exponential back-off with ±20 % jitter, the server's pushback, and a retry budget
that keeps many clients from overloading a server that is just restarting.
"""

from dataclasses import dataclass, field
from typing import Final

from medconnect_client.errors import (
    DeadlineExceeded,
    MedConnectError,
    PermissionDenied,
    RateLimitExceeded,
    RequestInProgress,
    Unauthenticated,
    Unavailable,
)

JITTER: Final = 0.2
BEFORE_KEYS: Final = (RateLimitExceeded, Unauthenticated, PermissionDenied)
"""Errors that the service raises before it looks an idempotency key up."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast a call is retried after a transient failure."""

    attempts: int = 4
    """The number of attempts, including the first; 1 never retries."""
    first_delay: float = 0.1
    """Seconds before the second attempt; doubled for each further one."""
    longest_delay: float = 1.0
    """The longest wait in seconds, unless the server asks for a longer one."""
    throttled: bool = True
    """Whether retries stop while most calls fail: for programs that make many calls, not for interactive ones."""

    def delay(self, failures: int, jitter: float) -> float:
        """Returns the seconds to wait after a number of consecutive failures; jitter: 0 to 1, for jitter."""
        delay = min(self.first_delay * 2.0 ** (failures - 1), self.longest_delay)
        return delay * (1 - JITTER + 2 * JITTER * jitter)


@dataclass(slots=True)
class RetryBudget:
    """A client's retry budget: each failure costs one token, each success earns a tenth."""

    most: float = 10.0
    earned: float = 0.1
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.most

    def succeeded(self) -> None:
        """Adds a fraction of a token after a successful call."""
        self.tokens = min(self.most, self.tokens + self.earned)

    def failed(self) -> None:
        """Removes a token after a transient failure."""
        self.tokens = max(0.0, self.tokens - 1)

    @property
    def allows(self) -> bool:
        """True if retries are allowed: more than half of the tokens are left."""
        return self.tokens > self.most / 2


def is_passing(error: MedConnectError) -> bool:
    """Returns whether the failure is transient; the call may have been carried out."""
    return isinstance(error, Unavailable | DeadlineExceeded)


def outcome_unknown(error: MedConnectError) -> bool:
    """Returns whether a command that failed like this may have been carried out, or may still be."""
    return is_passing(error) or isinstance(error, RequestInProgress)


def proves_not_applied(error: MedConnectError) -> bool:
    """Returns whether this response to a repeated command proves that the attempts before it were not carried out.

    If one had been, its idempotency key would have returned the first success. Errors that are raised before the key
    is looked up prove nothing.
    """
    return not isinstance(error, BEFORE_KEYS) and not outcome_unknown(error)


def may_repeat(error: MedConnectError, repeatable: bool) -> bool:
    """Returns whether the same call may be made again.

    A call that a rate limit rejected was not started, and one that is in progress has a key. Any other is repeated only
    if the method changes nothing or the call has a key (`repeatable`).
    """
    if isinstance(error, RateLimitExceeded):
        return error.retry_after is not None
    return isinstance(error, RequestInProgress) or (repeatable and is_passing(error))
