"""Assigns events their positions in the feed, after they are committed.

A number drawn inside a transaction cannot serve as position: a transaction with a lower number may commit later, and a
reader that has passed that number would miss its event. So one process at a time assigns positions after the commit,
and only to events that no event still to be committed can precede.
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
"""How long an event waits for its position if no notification arrives."""
PAUSE_SECONDS: Final = 0.05
"""The least pause between two rounds: a busy email worker wakes the sequencer twice for each of its batches."""
RETRY_SECONDS: Final = 0.1
"""The pause before another attempt for events that must wait for an older transaction."""

_log = structlog.get_logger()


class Sequencer:
    """Assigns positions; any number may run, and they take turns.

    placed: called when events have been given positions. done: called after each round.
    """

    def __init__(
        self, work: UnitOfWork, placed: Callable[[], None], done: Callable[[], Awaitable[None]] = background.unwatched
    ) -> None:
        self._work = work
        self._done = done
        self._placed = placed
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Starts a round now rather than within a second: events were probably committed."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Assigns positions until the block is left."""
        async with background.running(self._repeat()):
            yield

    async def assign_positions(self) -> bool:
        """Assigns positions to all events that can have one; returns True if others must wait. Raises Unavailable."""
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
            except Exception as error:  # no event is lost by any error: the next round includes it
                _log.warning("positions_not_assigned", error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
            await background.set_within(self._wake, pause)
