"""How many reference numbers a pharmacist may guess wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from server.errors import NotFound
from server.rate_limits.bucket import Limit
from server.rate_limits.rate_limiter import RateLimiter


class LookupMisses:
    """The budget of lookups that find nothing: numbers are not to be found by trying.

    A token is taken before each lookup and given back unless it misses: parallel guesses cannot outrun the count, and a
    pharmacist who has used his budget up is told nothing, not even of a number that exists.
    """

    def __init__(self, limiter: RateLimiter, limit: Limit) -> None:
        self._limiter = limiter
        self._limit = limit

    @asynccontextmanager
    async def counted(self, pharmacist_id: UUID) -> AsyncIterator[None]:
        """Let the lookup in the block run; NotFound leaving the block is a miss. Raises RateLimitExceeded."""
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
