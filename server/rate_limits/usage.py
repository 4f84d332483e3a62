"""The current use of the rate limits, for admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.clock import Clock
from server.metrics import Metrics
from server.rate_limits.bucket import Limit
from server.rate_limits.budgets import Budgets
from server.rate_limits.rate_limiter import RateLimiter
from server.rate_limits.store import Bucket

SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """A limit, with the number of calls that it allowed and refused."""

    limit: Limit
    allowed: int
    refused: int


@dataclass(frozen=True, slots=True)
class Usage:
    """All limits, sorted by name, the fullest buckets, the time of the reading, and the start of the counts."""

    limits: Sequence[LimitUsage]
    fullest: Sequence[Bucket]
    as_of: datetime
    counted_since: datetime


class RateLimitUsage:
    """Reports the current use of the limits."""

    def __init__(self, budgets: Budgets, limiter: RateLimiter, metrics: Metrics, clock: Clock) -> None:
        self._limits = budgets.limits()
        self._limiter = limiter
        self._metrics = metrics
        self._now = clock.now
        self._since = clock.now()

    async def read(self) -> Usage:
        """Returns this process's counts and the buckets of every store. Raises Unavailable without the database."""
        fullest = await self._limiter.fullest(self._limits, SHOWN)
        counts = self._metrics.limit_counts
        limits = [
            LimitUsage(limit, counts.allowed.get(name, 0), counts.refused.get(name, 0))
            for name, limit in sorted(self._limits.items())
        ]
        return Usage(limits, fullest, self._now(), self._since)
