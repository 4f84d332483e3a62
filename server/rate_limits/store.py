"""The protocol of bucket stores, and the store in one process's memory."""

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from server.rate_limits.bucket import Decision, Limit, refund, take, take_all

MAX_BUCKETS: Final = 200_000

_SWEEP_STEPS: Final = 2  # per requested bucket, so that the sweep is faster than any flood of new keys


class Bucket(NamedTuple):
    """The state of a bucket: the seconds until it is full again; the limit's period if it is empty."""

    limit: Limit
    key: str
    reset_after: float

    @property
    def used(self) -> float:
        """The share of its tokens that is used, 0 to 1."""
        return min(1.0, self.reset_after / self.limit.period)


class BucketStore(Protocol):
    """Stores buckets by limit and key (any text). Results are durations, so they do not depend on the store's clock."""

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """Takes one token from each bucket, or from none if any refuses. Returns the decisions in the same order.

        now: seconds of a monotonic clock of this process. A store shared by several processes uses its server's clock
        instead. A bucket named twice is charged once.
        """
        ...

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """Gives back the token that an earlier take charged to each bucket."""
        ...

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """Returns the fullest buckets of these limits (by name), at most `count`, the fullest first."""
        ...


class MemoryStore:
    """Stores the buckets of one process: at most ``max_buckets``, and one overflow bucket per limit.

    Every call checks a few buckets and deletes the full ones. If there is no room, new keys share their limit's
    overflow bucket; a key that gets its own bucket later starts with the overflow bucket's state. So no flood of keys
    makes the store lose a charge, and a deleted bucket would have allowed the call anyway.
    """

    def __init__(self, max_buckets: int = MAX_BUCKETS) -> None:
        self._max_buckets = max_buckets
        self._tats: dict[tuple[str, str], float] = {}
        self._queue: deque[tuple[str, str]] = deque()  # each key of _tats once, the next to check first
        self._overflow: dict[str, float] = {}

    def __len__(self) -> int:
        """Returns the number of buckets, without overflow buckets."""
        return len(self._tats)

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore. Never awaits, so no other call runs between reading and charging."""
        self._sweep(_SWEEP_STEPS * len(requests), now)
        if len(requests) == 1:  # most calls have only the budget of their role
            [(limit, key)] = requests
            decision = take(self._tat(limit, key, now), limit, now)
            if decision.allowed:
                self._charge(limit, key, decision.tat)
            return [decision]
        decisions = take_all([(limit, self._tat(limit, key, now)) for limit, key in requests], now)
        if all(decision.allowed for decision in decisions):
            for (limit, key), decision in zip(requests, decisions, strict=True):
                self._charge(limit, key, decision.tat)
        return decisions

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. A charge to an overflow bucket is not given back, because other keys share it."""
        for limit, key in requests:
            if (limit.name, key) in self._tats:
                self._tats[limit.name, key] = refund(self._tats[limit.name, key], limit)

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore. Reads a copy in a thread: 200,000 buckets would block the event loop."""
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
    """Returns the `count` buckets with the greatest used share, the greatest first."""
    return heapq.nlargest(count, buckets, key=lambda bucket: bucket.used)


def _fullest(
    tats: Sequence[tuple[tuple[str, str], float]], limits: Mapping[str, Limit], count: int, now: float
) -> Sequence[Bucket]:
    charged = (Bucket(limits[name], key, tat - now) for (name, key), tat in tats if tat > now and name in limits)
    return nearest_to_refusing(charged, count)
