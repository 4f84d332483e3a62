"""How many reference numbers a pharmacist may guess wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from server.clock import Clock
from server.errors import NotFound, RateLimitExceeded
from server.rate_limits.bucket import Limit
from server.rate_limits.store import BucketStore

LOOKUP_MISSES: Final = Limit("lookup_misses", tokens=5, period=60)
"""Five misses a minute for each pharmacist: numbers are not to be found by trying."""


class LookupMisses:
    """The budget of lookups that find nothing.

    A token is taken before each lookup and given back unless it misses: parallel guesses cannot outrun the count, and a
    pharmacist who has used his budget up is told nothing, not even of a number that exists.
    """

    def __init__(self, store: BucketStore, clock: Clock, limit: Limit = LOOKUP_MISSES) -> None:
        self._store = store
        self._clock = clock
        self._limit = limit

    @asynccontextmanager
    async def counted(self, pharmacist_id: UUID) -> AsyncIterator[None]:
        """Let the lookup in the block run; NotFound leaving the block is a miss. Raises RateLimitExceeded."""
        token = [(self._limit, str(pharmacist_id))]
        (decision,) = await self._store.take(token, self._clock.monotonic())
        if not decision.allowed:
            raise RateLimitExceeded(retry_after=decision.retry_after, limit=self._limit.name)
        missed = False
        try:
            yield
        except NotFound:
            missed = True
            raise
        finally:
            if not missed:
                await self._store.refund(token)
