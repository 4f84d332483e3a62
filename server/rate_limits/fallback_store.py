"""A shared store with a fallback: while Redis is unavailable, this process's memory is used."""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from server.clock import Clock
from server.metrics import Metrics
from server.rate_limits.bucket import Decision, Limit
from server.rate_limits.redis_store import RedisAway, RedisStore
from server.rate_limits.store import Bucket, MemoryStore

PAUSE_SECONDS: Final = 1.0
"""How long Redis is not used after a failure, so that not every call waits for its timeout."""

_log = structlog.get_logger()


class FallbackStore:
    """See BucketStore. While Redis is unavailable, each process limits by itself: more calls pass, and none waits."""

    def __init__(self, redis: RedisStore, memory: MemoryStore, clock: Clock, metrics: Metrics) -> None:
        self._redis = redis
        self._memory = memory
        self._monotonic = clock.monotonic
        self._metrics = metrics
        self._asked_again_at = float("-inf")

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore. Uses the memory if Redis is unavailable."""
        if self._may_ask():
            try:
                return await self._redis.take(requests, now)
            except RedisAway:
                self._went_away()
        return await self._memory.take(requests, now)

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. If the store has switched since the charge, the charge is not given back."""
        if self._may_ask():
            try:
                return await self._redis.refund(requests)
            except RedisAway:
                self._went_away()
        return await self._memory.refund(requests)

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore. Reads the memory if Redis is unavailable."""
        if self._may_ask():
            try:
                return await self._redis.fullest(limits, count, now)
            except RedisAway:
                self._went_away()
        return await self._memory.fullest(limits, count, now)

    def _may_ask(self) -> bool:
        return self._monotonic() >= self._asked_again_at

    def _went_away(self) -> None:
        self._asked_again_at = self._monotonic() + PAUSE_SECONDS
        self._metrics.store_failed("redis")
        _log.warning("rate_limit_store_unavailable", store="redis")
