"""Buckets that all processes share in PostgreSQL. If the database does not respond, the call is refused."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from server.db.unit_of_work import UnitOfWork
from server.errors import DatabaseUnavailable
from server.rate_limits.bucket import Decision, Limit, decided, take_all
from server.rate_limits.storage.buckets import BucketRepository
from server.rate_limits.store import Bucket

ANSWER_SECONDS: Final = 2.0
"""The timeout of the database: limits are checked before the call's own deadline is."""
REMEMBERED_SECONDS: Final = 1.0
"""How long a refusal is cached: a flood of refused calls must not occupy the database connections."""
MOST_REMEMBERED: Final = 10_000

Request = tuple[Limit, str]


class PostgresStore:
    """See BucketStore; every method raises Unavailable if the database does not respond."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._refused: dict[Request, tuple[float, float]] = {}
        """By request: until when the refusal is cached, and when the bucket will be full, by this process's clock."""

    async def take(self, requests: Sequence[Request], now: float) -> list[Decision]:
        """See BucketStore. Executes one statement, or none for cached refusals."""
        if any(now < self._refused.get(request, (now, now))[0] for request in requests):
            return take_all([(request[0], self._refused.get(request, (now, now))[1]) for request in requests], now)
        decisions = await self._ask(requests) if requests else []
        for request, decision in zip(requests, decisions, strict=True):
            self._remember(request, decision, now)
        return decisions

    async def refund(self, requests: Sequence[Request]) -> None:
        """See BucketStore. Executes one statement."""
        for request in requests:
            self._refused.pop(request, None)
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._work.read() as tx:
                await tx[BucketRepository].refund(requests)
        except TimeoutError:
            raise DatabaseUnavailable() from None

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore. Executes one statement."""
        async with self._work.read() as tx:
            found = await tx[BucketRepository].fullest(list(limits.values()), count)
        return [Bucket(limits[name], key, reset_after) for name, key, reset_after in found]

    async def _ask(self, requests: Sequence[Request]) -> list[Decision]:
        different = list(dict.fromkeys(requests))
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._work.read() as tx:
                allowed, resets = await tx[BucketRepository].take(different)
        except TimeoutError:
            raise DatabaseUnavailable() from None
        found = dict(zip(different, resets, strict=True))
        return decided([(limit, found[limit, key]) for limit, key in requests], charged=allowed)

    def _remember(self, request: Request, decision: Decision, now: float) -> None:
        if decision.allowed:
            self._refused.pop(request, None)
            return
        if len(self._refused) >= MOST_REMEMBERED:
            self._refused.clear()  # only cached refusals are lost; the database decides again
        wait = min(decision.retry_after, REMEMBERED_SECONDS)
        self._refused[request] = (now + wait, now + decision.reset_after)
