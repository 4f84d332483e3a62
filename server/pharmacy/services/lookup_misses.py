"""Limits how many unknown reference numbers a pharmacist may look up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from server.errors import NotFound
from server.rate_limits.bucket import Limit
from server.rate_limits.rate_limiter import RateLimiter


class LookupMisses:
    """Rate limit on lookups that find nothing, so that numbers cannot be enumerated.

    A token is taken before each lookup and refunded unless the lookup misses, so parallel guesses cannot exceed the
    limit. Once the limit is reached, lookups of existing numbers are rejected too.
    """

    def __init__(self, limiter: RateLimiter, limit: Limit) -> None:
        self._limiter = limiter
        self._limit = limit

    @asynccontextmanager
    async def counted(self, pharmacist_id: UUID) -> AsyncIterator[None]:
        """Runs the lookup in the block; a NotFound that leaves the block is a miss. Raises RateLimitExceeded."""
        budget = [(self._limit, str(pharmacist_id))]
        await self._limiter.charge_also(budget)
        missed = False
        try:
            yield
        except NotFound:
            missed = True
            raise
        finally:
            if not missed:
                await self._limiter.refund(budget)
