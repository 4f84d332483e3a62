"""The changes of mails' states, as one process shows them to all who watch there."""

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
"""Changes that are held for one watcher."""
RECENT: Final = 512
"""Changes that are held for all of them together."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """How far a watcher has come, and what happened there; None: nothing, but the stream lives."""

    sequence: int
    change: EmailChange | None


class EmailFeed:
    """Each watcher goes through the feed at his own pace: nothing is pushed to him, so none can be overrun.

    Those at the feed's head share one reading. Who is further behind than what they share reads the database by
    himself, a handful at a time; for none of them more is held than that.
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
        """Some changes have probably got their places in the feed."""
        self._reading.wake()

    async def end(self) -> None:
        """Let the reading that watchers have left behind come to its end."""
        await self._reading.end()

    async def watch(self, after: int | None) -> AsyncGenerator[FeedItem, None]:
        """Where the feed stands at once, then each change behind `after` (None: from now on), until the caller leaves.

        Raises Unavailable when the database fails: the caller resumes behind what he has seen.
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
        """Count a watcher, and answer where the feed stands; the first one finds nothing held."""
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
        """Up to IN_HAND changes behind that one, none when a second has passed without; and from where they count."""
        held_behind = self._complete_behind
        if sequence < held_behind:
            async with self._work.read() as tx:
                found = await tx[EventRepository].mail_changes(sequence, IN_HAND)
            return (sequence, found) if found else (held_behind, ())
        if sequence >= self._head:
            await self._reading.next()
        if sequence < self._complete_behind:
            return sequence, ()  # so much was read that it is not held any more: the next time it is in the database
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
