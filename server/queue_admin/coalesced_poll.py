"""Shares one database read among all watchers of this process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from server import background

POLL_SECONDS: Final = 1.0
"""The longest interval between two reads, even if no notification arrives."""
LEAST_PAUSE_SECONDS: Final = 0.1
"""The shortest interval between two reads, however fast the data changes."""
LONGEST_SILENCE_SECONDS: Final = 18.0
"""Keeps a stream's silence, with the pause of a read, below 20 s: proxies close silent streams."""

T = TypeVar("T")


class CoalescedPoll(Generic[T]):
    """Reads once for any number of waiting callers, and not at all while no caller waits."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], poll: float = POLL_SECONDS, least_pause: float = LEAST_PAUSE_SECONDS
    ) -> None:
        self._read = read
        self._poll = poll
        self._least_pause = least_pause
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[T] | None = None

    def wake(self) -> None:
        """Makes the next read start now: the data has probably changed."""
        self._changed.set()

    async def next(self) -> T:
        """Returns the result of the next read. Raises its error to every waiting caller."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_when_due())
            self._reading.add_done_callback(_fetch_error)
        return await asyncio.shield(self._reading)  # a cancelled caller must not cancel the read for the others

    async def end(self) -> None:
        """Waits for a read that is still running although its watchers have left: it holds a connection."""
        if self._reading is not None:
            self.wake()
            await asyncio.wait([self._reading])

    async def _read_when_due(self) -> T:
        await asyncio.sleep(self._least_pause)
        await background.set_within(self._changed, self._poll - self._least_pause)
        self._changed.clear()
        return await self._read()


def _fetch_error(ended: asyncio.Task[T]) -> None:
    """Fetches the error of a read whose callers have all left: asyncio reports errors that no caller fetches."""
    if not ended.cancelled():
        ended.exception()
