"""Rate limits as admins see them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit, and what it did."""

    name: str
    """Such as `login`: the metadata `limit` of a refusal."""
    tokens: int
    period_seconds: int
    """Seconds in which an empty bucket fills up."""
    allowed: int
    refused: int


@dataclass(frozen=True, slots=True)
class RateLimitBucket:
    """A bucket from which calls have taken tokens."""

    limit: str
    key: str
    """Whose it is: an address, or the id of an account or session."""
    used_percent: int
    """How much of it is gone; at 100 it refuses."""
    full_at: datetime


@dataclass(frozen=True, slots=True)
class RateLimitUsage:
    """How the rate limits stand, in the process that answers."""

    limits: tuple[RateLimit, ...]
    fullest_buckets: tuple[RateLimitBucket, ...]
    """The 20 that are nearest to refusing, the nearest first."""
    counted_since: datetime
