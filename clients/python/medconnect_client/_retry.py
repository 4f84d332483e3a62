"""When a failed call is made again, and how long to wait before: plain functions over values.

Source: the gRPC retry design (A6): exponential back-off with ±20 % jitter, the server's pushback, and a budget that
keeps many clients from storming a server that is just coming back.
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
"""What the service answers before it looks for the first success of a key."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast a call that failed for the moment is made again."""

    attempts: int = 4
    """Calls together, the first among them; 1 never repeats."""
    first_delay: float = 0.1
    """Seconds before the second attempt; doubled for each one after."""
    longest_delay: float = 1.0
    """No wait is longer, in seconds, unless the server asks for it."""
    throttled: bool = True
    """Whether repeating stops while most calls fail (for programs that make many calls; a person makes few)."""

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after that many failures in a row; chance: 0 to 1, spreads the clients."""
        delay = min(self.first_delay * 2.0 ** (failures - 1), self.longest_delay)
        return delay * (1 - JITTER + 2 * JITTER * chance)


@dataclass(slots=True)
class RetryBudget:
    """How many repetitions a client may still spend: each failure costs one, each success earns a tenth."""

    most: float = 10.0
    earned: float = 0.1
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.most

    def succeeded(self) -> None:
        """A call went well."""
        self.tokens = min(self.most, self.tokens + self.earned)

    def failed(self) -> None:
        """A call failed for the moment."""
        self.tokens = max(0.0, self.tokens - 1)

    @property
    def allows(self) -> bool:
        """Whether repeating is still worth it: more than half is left."""
        return self.tokens > self.most / 2


def is_passing(error: MedConnectError) -> bool:
    """Whether the call failed for the moment only, and may yet have been carried out."""
    return isinstance(error, Unavailable | DeadlineExceeded)


def leaves_open(error: MedConnectError) -> bool:
    """Whether a command that was sent and answered so may have been carried out, or may yet be."""
    return is_passing(error) or isinstance(error, RequestInProgress)


def settles(error: MedConnectError) -> bool:
    """Whether this answer to a repeated command says that the attempts before were not carried out.

    Had one been, its key would have brought back the first success; only what is judged before keys says nothing.
    """
    return not isinstance(error, BEFORE_KEYS) and not leaves_open(error)


def may_repeat(error: MedConnectError, repeatable: bool) -> bool:
    """Whether the same call may be made again.

    What the rate limit refused was not begun; what is in progress has a key. All else is repeated only if the method
    reads, or the call has a key (`repeatable`).
    """
    if isinstance(error, RateLimitExceeded):
        return error.retry_after is not None
    return isinstance(error, RequestInProgress) or (repeatable and is_passing(error))
