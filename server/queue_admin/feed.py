"""The feed of emails' changes of state, shared by all watchers of one process."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from server.db.unit_of_work import UnitOfWork
from server.events.storage.events import EventRepository
from server.outbox.entities import EmailChange
from server.queue_admin.coalesced_poll import LONGEST_SILENCE_SECONDS, CoalescedPoll

IN_HAND: Final = 64
"""The most changes in memory for one watcher."""
RECENT: Final = 512
"""The most changes in memory that all watchers share."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """A watcher's position in the feed and the change there; None is a heartbeat of the stream."""

    sequence: int
    change: EmailChange | None


class EmailFeed:
    """Each watcher pulls changes at its own pace: nothing is pushed, so that no buffer can overflow.

    Watchers at the end of the feed share one read and its RECENT changes. A watcher further back reads the database by
    itself, IN_HAND changes at a time; no more are kept in memory for it.
    """

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._watchers = 0
        self._recent: deque[EmailChange] = deque()
        self._complete_behind = 0
        """`_recent` holds all changes with a greater sequence, up to `_head`."""
        self._head = 0
        self._reading = CoalescedPoll(self._read_on)

    def wake(self) -> None:
        """Makes the next read start now: changes have probably been given positions in the feed."""
        self._reading.wake()

    async def end(self) -> None:
        """Waits for a read that is still running although its watchers have left."""
        await self._reading.end()

    async def watch(self, after: int | None) -> AsyncGenerator[FeedItem, None]:
        """Yields the start position at once, then each change after `after` (None: from now on), until cancelled.

        Raises Unavailable when the database fails: the caller resumes after the last change received.
        """
        async with self._join_watchers() as last:
            sequence = last if after is None else min(after, last)
            spoken = _now()
            yield FeedItem(sequence, None)
            while True:
                sequence, changes = await self._changes_after(sequence)
                for change in changes:
                    sequence, spoken = change.sequence, _now()
                    yield FeedItem(sequence, change)
                if _now() - spoken >= LONGEST_SILENCE_SECONDS:
                    spoken = _now()
                    yield FeedItem(sequence, None)

    @asynccontextmanager
    async def _join_watchers(self) -> AsyncIterator[int]:
        """Counts a watcher and yields the feed's last position; the first watcher starts with an empty cache."""
        async with self._work.read() as tx:
            last = await tx[EventRepository].last_position()
        if self._watchers == 0:
            self._recent.clear()
            self._head = self._complete_behind = last
        self._watchers += 1
        try:
            yield last
        finally:
            self._watchers -= 1

    async def _changes_after(self, sequence: int) -> tuple[int, Sequence[EmailChange]]:
        """Returns the position after which to read on, and up to IN_HAND changes after it.

        There are none when a second passes without changes.
        """
        held_behind = self._complete_behind
        if sequence < held_behind:
            async with self._work.read() as tx:
                found = await tx[EventRepository].mail_changes(sequence, IN_HAND)
            return (sequence, found) if found else (held_behind, ())
        if sequence >= self._head:
            await self._reading.next()
        if sequence < self._complete_behind:
            return sequence, ()  # one read exceeded RECENT and dropped these changes: the next call reads the database
        return sequence, [change for change in self._recent if change.sequence > sequence][:IN_HAND]

    async def _read_on(self) -> None:
        async with self._work.read() as tx:
            found = await tx[EventRepository].mail_changes(self._head, RECENT)
        self._recent.extend(found)
        self._head = found[-1].sequence if found else self._head
        while len(self._recent) > RECENT:
            self._complete_behind = self._recent.popleft().sequence


def _now() -> float:
    return asyncio.get_running_loop().time()
