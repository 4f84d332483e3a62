"""Rate limits as admins see them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A rate limit, with the numbers of allowed and rejected calls."""

    name: str
    """The name, such as `login`: the metadata `limit` of RateLimitExceeded."""
    tokens: int
    period_seconds: int
    """Seconds in which an empty bucket refills."""
    allowed: int
    refused: int


@dataclass(frozen=True, slots=True)
class RateLimitBucket:
    """A bucket that is not full."""

    limit: str
    key: str
    """The owner of the bucket: an address, or the id of an account or session."""
    used_percent: int
    """The used share in percent; at 100 calls are rejected."""
    full_at: datetime


@dataclass(frozen=True, slots=True)
class RateLimitUsage:
    """The usage of the rate limits in the process that serves the call."""

    limits: tuple[RateLimit, ...]
    fullest_buckets: tuple[RateLimitBucket, ...]
    """The 20 buckets with the highest use, highest first."""
    counted_since: datetime
