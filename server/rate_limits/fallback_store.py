"""A shared store that may go away: what it cannot answer, this process's memory answers meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from server.clock import Clock
from server.metrics import Metrics
from server.rate_limits.bucket import Decision, Limit
from server.rate_limits.redis_store import RedisAway, RedisStore
from server.rate_limits.store import Bucket, MemoryStore

PAUSE_SECONDS: Final = 1.0
"""After a failure Redis is not asked for so long: calls shall not wait for it one after the other."""

_log = structlog.get_logger()


class FallbackStore:
    """See BucketStore. While Redis is away each process limits by itself: more passes than should, and nobody waits."""

    def __init__(self, redis: RedisStore, memory: MemoryStore, clock: Clock, metrics: Metrics) -> None:
        self._redis = redis
        self._memory = memory
        self._monotonic = clock.monotonic
        self._metrics = metrics
        self._asked_again_at = float("-inf")

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore."""
        if self._may_ask():
            try:
                return await self._redis.take(requests, now)
            except RedisAway:
                self._went_away()
        return await self._memory.take(requests, now)

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. What was charged to one store while Redis went or came is not given back by the other."""
        if self._may_ask():
            try:
                return await self._redis.refund(requests)
            except RedisAway:
                self._went_away()
        return await self._memory.refund(requests)

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore."""
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
        _log.warning("rate_limit_store_away", store="redis")
