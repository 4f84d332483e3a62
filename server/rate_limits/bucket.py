"""Token bucket arithmetic, without storage: one number per bucket.

The number is the theoretical arrival time (TAT) of the generic cell rate algorithm: the time at which the
bucket will be full again, in seconds of the clock that the store uses. A bucket holds ``limit.tokens`` and
refills the same number per ``limit.period``; a bucket whose TAT is not after now is full and needs no memory. A burst
and its refill together allow up to twice the number in the first period.
Source: ITU-T I.371 (GCRA); Boulder, ratelimits/gcra.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

ROUNDING: Final = 1e-3
"""In tokens: float rounding must not cost a caller their last token, nor refuse them after the stated wait."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket's name, its size in tokens (at least 1), and the seconds in which an empty one fills up."""

    name: str
    tokens: int
    period: float
    interval: float = field(init=False, compare=False, repr=False)
    """The seconds in which one token is refilled."""

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.period <= 0:
            raise ValueError(f"limit {self.name} needs at least one token and a positive period")
        object.__setattr__(self, "interval", self.period / self.tokens)

    def scaled(self, factor: float) -> "Limit":
        """Returns the limit with its tokens multiplied by `factor`, at least one."""
        return Limit(self.name, max(1, round(self.tokens * factor)), self.period)


class Decision(NamedTuple):
    """The result of a bucket (a tuple, the cheapest type, because several are created for every call).

    remaining: whole tokens left. reset_after, retry_after: seconds until the bucket is full, and until the refused
    call would be allowed (0 if it was allowed). tat: the value to store.
    """

    limit: Limit
    allowed: bool
    remaining: int
    reset_after: float
    retry_after: float
    tat: float


def take(tat: float, limit: Limit, now: float, cost: int = 1) -> Decision:
    """Takes `cost` tokens from a bucket, or none if it has fewer; cost 0 only reads.

    tat: the stored value, or any time up to now for an unused bucket.
    """
    interval = limit.interval
    before = max(tat, now)
    after = before + cost * interval
    missing = (after - now) / interval - limit.tokens  # tokens that the bucket lacks for this call
    if missing > ROUNDING:
        remaining = limit.tokens - (before - now) / interval
        return Decision(limit, False, _whole(remaining), before - now, missing * interval, before)
    return Decision(limit, True, _whole(-missing), after - now, 0.0, after)


def take_all(buckets: Sequence[tuple[Limit, float]], now: float) -> list[Decision]:
    """Takes one token from each bucket (limit and TAT), or from none if any of them refuses.

    Returns the decisions in the order of the buckets; the call is allowed if all of them are.
    """
    decisions = [take(tat, limit, now) for limit, tat in buckets]
    if all(decision.allowed for decision in decisions):
        return decisions
    return [
        take(tat, limit, now, cost=0) if decision.allowed else decision
        for (limit, tat), decision in zip(buckets, decisions, strict=True)
    ]


def decided(buckets: Sequence[tuple[Limit, float]], *, charged: bool) -> list[Decision]:
    """Returns the decisions for buckets that a server has charged, all or none, by its own clock.

    buckets: each limit with the seconds until the bucket would have been full before this call. The server's decision
    applies if its rounding differs from this process's.
    """
    if charged:
        return [take(min(before, limit.period - limit.interval), limit, 0.0) for limit, before in buckets]
    decisions = take_all(buckets, 0.0)
    if all(decision.allowed for decision in decisions):
        nearest = decisions.index(strictest(decisions))
        decisions = [take(before, limit, 0.0, cost=0) for limit, before in buckets]
        decisions[nearest] = take(buckets[nearest][0].period, buckets[nearest][0], 0.0)
    return decisions


def refund(tat: float, limit: Limit, cost: int = 1) -> float:
    """Returns the TAT after giving `cost` tokens back; a bucket never holds more than its size."""
    return tat - cost * limit.interval


def given_back(decision: Decision) -> Decision:
    """Returns the decision of an allowed call after its token was given back."""
    limit = decision.limit
    remaining = min(limit.tokens, decision.remaining + 1)
    reset_after = max(0.0, decision.reset_after - limit.interval)
    return decision._replace(remaining=remaining, reset_after=reset_after, tat=refund(decision.tat, limit))


def strictest(decisions: Sequence[Decision]) -> Decision:
    """Returns the decision to report, of at least one: the longest refusal, else the fewest tokens left."""
    if len(decisions) == 1:  # most calls have only the budget of their role
        return decisions[0]
    return min(decisions, key=lambda decision: (-decision.retry_after, decision.remaining))


def _whole(tokens: float) -> int:
    return max(0, int(tokens + ROUNDING))
