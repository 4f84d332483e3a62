"""One reading of the mail queue for all who watch it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from server.mail.entities import QueueStatus

PAUSE_SECONDS: Final = 0.9
"""Between two readings, so that what is shown is at most a second old."""


class QueueFeed:
    """Shares readings: however many watch, the database is asked about once a second, and not at all when nobody does.

    Nothing is queued for a watcher: one that is slow misses readings and gets the next, so the latest wins.
    """

    def __init__(self, read: Callable[[], Awaitable[QueueStatus]], pause: float = PAUSE_SECONDS) -> None:
        self._read = read
        self._pause = pause
        self._reading: asyncio.Task[QueueStatus] | None = None

    async def next(self) -> QueueStatus:
        """The next reading. Raises what the reading raises, to everybody who waits for it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_after_pause())
        return await asyncio.shield(self._reading)  # one watcher that leaves must not take it from the others

    async def _read_after_pause(self) -> QueueStatus:
        await asyncio.sleep(self._pause)
        return await self._read()
