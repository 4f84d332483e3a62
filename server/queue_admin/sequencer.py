"""Gives events their places in the feed, after they are committed.

A number that is drawn inside a transaction is no place: a transaction with a lower one may commit later, and who has
read on would never see it. So the place is given behind the commit, by one process at a time, to what nothing can come
to stand before any more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from server import background
from server.db.unit_of_work import UnitOfWork
from server.events.storage.events import AT_ONCE, EventRepository

POLL_SECONDS: Final = 1.0
"""How long an event waits for its place if nobody says that it is there."""
RETRY_SECONDS: Final = 0.1
"""How long one waits whose turn has not come, because an older transaction still runs."""

_log = structlog.get_logger()


class Sequencer:
    """One of any number; they take turns. `placed` is called when events have got places, `done` after each round."""

    def __init__(
        self, work: UnitOfWork, placed: Callable[[], None], done: Callable[[], Awaitable[None]] = background.unwatched
    ) -> None:
        self._work = work
        self._done = done
        self._placed = placed
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for events now rather than within a second: some were probably committed."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Place events until the block is left."""
        async with background.running(self._repeat()):
            yield

    async def assign_positions(self) -> bool:
        """Place all that can be; whether some had to be left. Raises Unavailable."""
        placed = AT_ONCE
        while placed == AT_ONCE:
            async with self._work.begin() as tx:
                placed = await tx[EventRepository].assign_positions()
            if placed:
                self._placed()
        async with self._work.read() as tx:
            return await tx[EventRepository].some_wait()

    async def _repeat(self) -> None:
        while True:
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                if await self.assign_positions():
                    pause = RETRY_SECONDS
                await self._done()
            except Exception as error:  # whatever it is, nothing is lost, and it is tried again
                _log.warning("events_not_placed", error=type(error).__name__)
            await background.set_within(self._wake, pause)
