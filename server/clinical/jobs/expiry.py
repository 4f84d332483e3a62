"""Persists expired claims and prescriptions within a minute."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from server import background
from server.clinical.storage.expiry import AT_ONCE, ExpiryRepository
from server.db.unit_of_work import UnitOfWork

PAUSE_SECONDS: Final = 30.0


class ExpiryJob:
    """Persists expired claims and expired prescriptions; any number of processes may run it at once.

    Every statement derives the current state by itself, so responses do not depend on this job. done: called after each
    round.
    """

    def __init__(self, work: UnitOfWork, done: Callable[[], Awaitable[None]] = background.unwatched) -> None:
        self._work = work
        self._done = done

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the job now and every 30 s until the block is left."""
        work = background.repeat(self._round, every=PAUSE_SECONDS, failed="expiry_failed")
        async with background.running(work):
            yield

    async def expire_due(self) -> None:
        """Persists everything that has expired, up to AT_ONCE rows per transaction. Raises Unavailable."""
        expired = AT_ONCE
        while expired == AT_ONCE:
            async with self._work.begin() as tx:
                expired = await tx[ExpiryRepository].expire_due()

    async def _round(self) -> None:
        await self.expire_due()
        await self._done()
