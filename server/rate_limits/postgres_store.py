"""Buckets that every process must agree on, in PostgreSQL. Without an answer the call is refused."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from server.errors import DatabaseUnavailable
from server.rate_limits.bucket import Decision, Limit, decided
from server.rate_limits.repository import BucketRepository
from server.rate_limits.store import Bucket

ANSWER_SECONDS: Final = 2.0
"""How long the database may take: limits are judged before the call's own deadline is."""


class Buckets(Protocol):
    """What the store needs of a transaction."""

    buckets: BucketRepository


class Work(Protocol):
    """What the store needs of the unit of work: single statements."""

    def read(self) -> AbstractAsyncContextManager[Buckets]:
        """Raises Unavailable when the database fails the block."""
        ...


class PostgresStore:
    """See BucketStore; every method raises Unavailable when the database does not answer."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore. One statement."""
        if not requests:
            return []
        different = list(dict.fromkeys(requests))
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._work.read() as tx:
                allowed, resets = await tx.buckets.take(different)
        except TimeoutError:
            raise DatabaseUnavailable() from None
        found = dict(zip(different, resets, strict=True))
        return decided([(limit, found[limit, key]) for limit, key in requests], charged=allowed)

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. One statement."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._work.read() as tx:
                await tx.buckets.refund(requests)
        except TimeoutError:
            raise DatabaseUnavailable() from None

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore."""
        async with self._work.read() as tx:
            found = await tx.buckets.fullest(list(limits.values()), count)
        return [Bucket(limits[name], key, reset_after) for name, key, reset_after in found]
