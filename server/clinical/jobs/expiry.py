"""Persists expired claims and prescriptions within a minute."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from server import background
from server.clinical.storage.expiry import AT_ONCE, ExpiryRepository
from server.db.unit_of_work import UnitOfWork

PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger()


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
        async with background.running(self._repeat()):
            yield

    async def expire_due(self) -> None:
        """Persists everything that has expired, up to AT_ONCE rows per transaction. Raises Unavailable."""
        settled = AT_ONCE
        while settled == AT_ONCE:
            async with self._work.begin() as tx:
                settled = await tx[ExpiryRepository].expire_due()

    async def _repeat(self) -> None:
        while True:
            try:
                await self.expire_due()
                await self._done()
            except Exception as error:  # any failure: responses do not depend on it, and the next round retries
                _log.warning("lapses_not_written_down", error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
