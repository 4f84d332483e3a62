"""One reading for all who watch in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from server import background

POLL_SECONDS: Final = 1.0
"""What is shown is never older, even if no ring is heard."""
LEAST_PAUSE_SECONDS: Final = 0.1
"""Between two readings, however fast things change."""
LONGEST_SILENCE_SECONDS: Final = 18.0
"""A watcher hears something every 20 s, a reading's pause included: proxies take a silent stream for a dead one."""

T = TypeVar("T")


class CoalescedPoll(Generic[T]):
    """However many wait for the next reading, the database is asked once, and not at all when nobody waits."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], poll: float = POLL_SECONDS, least_pause: float = LEAST_PAUSE_SECONDS
    ) -> None:
        self._read = read
        self._poll = poll
        self._least_pause = least_pause
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[T] | None = None

    def wake(self) -> None:
        """Something has probably changed: the next reading need not wait for its time."""
        self._changed.set()

    async def next(self) -> T:
        """The next reading. Raises what the reading raises, to everybody who waits for it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_when_due())
        return await asyncio.shield(self._reading)  # one watcher that leaves must not take it from the others

    async def end(self) -> None:
        """Let the reading that watchers have left behind come to its end: it holds a connection."""
        if self._reading is not None:
            self.wake()
            await asyncio.wait([self._reading])

    async def _read_when_due(self) -> T:
        await asyncio.sleep(self._least_pause)
        await background.set_within(self._changed, self._poll - self._least_pause)
        self._changed.clear()
        return await self._read()
