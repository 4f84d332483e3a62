"""Where buckets are remembered between calls: the port, and the store inside one process."""

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from server.rate_limits.bucket import Decision, Limit, refund, take_all

MAX_BUCKETS: Final = 200_000

_SWEEP_STEPS: Final = 2  # for each bucket asked for, so that the sweep outruns any flood of new keys


class Bucket(NamedTuple):
    """How a bucket stands: seconds until it is full again, of the limit's period when it is empty."""

    limit: Limit
    key: str
    reset_after: float

    @property
    def used(self) -> float:
        """The share of its tokens that is gone, 0 to 1."""
        return min(1.0, self.reset_after / self.limit.period)


class BucketStore(Protocol):
    """Buckets by limit and key (any text). Answers are durations, so no caller asks whose clock judged."""

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """Take one token out of each bucket named, or out of none when any refuses; answers in that order.

        now: seconds of a clock of this process that never goes back. A store shared by several processes
        judges by its server's clock instead. A bucket named twice is charged once.
        """
        ...

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """Give back the token that an earlier take charged to each bucket named."""
        ...

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """The buckets of these limits (by name) that are nearest to refusing, at most `count`, the nearest first."""
        ...


class MemoryStore:
    """Buckets of one process, at most ``max_buckets`` of them and one overflow bucket per limit.

    Full buckets are forgotten, a few looked at with every call. When there is no room, new keys share their
    limit's overflow bucket; a key that gets its own bucket later begins where that one stands. So no flood of
    keys makes the store forget a charge, and what it forgets would have been allowed anyway.
    """

    def __init__(self, max_buckets: int = MAX_BUCKETS) -> None:
        self._max_buckets = max_buckets
        self._tats: dict[tuple[str, str], float] = {}
        self._queue: deque[tuple[str, str]] = deque()  # each key of _tats once, the next to be looked at first
        self._overflow: dict[str, float] = {}

    def __len__(self) -> int:
        """Buckets remembered, overflow buckets not counted."""
        return len(self._tats)

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore. Never waits, so no other call comes between reading and charging."""
        self._sweep(_SWEEP_STEPS * len(requests), now)
        decisions = take_all([(limit, self._tat(limit, key, now)) for limit, key in requests], now)
        if all(decision.allowed for decision in decisions):
            for (limit, key), decision in zip(requests, decisions, strict=True):
                self._charge(limit, key, decision.tat)
        return decisions

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. A charge to an overflow bucket stays: others share it."""
        for limit, key in requests:
            if (limit.name, key) in self._tats:
                self._tats[limit.name, key] = refund(self._tats[limit.name, key], limit)

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore. Reads a copy in a thread: there may be 200,000, and calls go on."""
        tats = list(self._tats.items())
        return await asyncio.to_thread(_fullest, tats, limits, count, now)

    def _tat(self, limit: Limit, key: str, now: float) -> float:
        tat = self._tats.get((limit.name, key))
        return self._overflow.get(limit.name, now) if tat is None else tat

    def _charge(self, limit: Limit, key: str, tat: float) -> None:
        bucket = (limit.name, key)
        if bucket not in self._tats:
            if len(self._tats) >= self._max_buckets:
                self._overflow[limit.name] = tat
                return
            self._queue.append(bucket)
        self._tats[bucket] = tat

    def _sweep(self, steps: int, now: float) -> None:
        for _ in range(min(steps, len(self._queue))):
            bucket = self._queue.popleft()
            if self._tats[bucket] <= now:
                del self._tats[bucket]
            else:
                self._queue.append(bucket)


def nearest_to_refusing(buckets: Iterable[Bucket], count: int) -> Sequence[Bucket]:
    """The `count` buckets with the greatest share used, the greatest first."""
    return heapq.nlargest(count, buckets, key=lambda bucket: bucket.used)


def _fullest(
    tats: Sequence[tuple[tuple[str, str], float]], limits: Mapping[str, Limit], count: int, now: float
) -> Sequence[Bucket]:
    charged = (Bucket(limits[name], key, tat - now) for (name, key), tat in tats if tat > now and name in limits)
    return nearest_to_refusing(charged, count)
