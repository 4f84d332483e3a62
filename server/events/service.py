"""What admins ask and watch about the mail queue."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from server.events.feed import QueueFeed
from server.mail.entities import QueueStatus
from server.mail.repository import MailRepository
from server.unit_of_work import UnitOfWork

LONGEST_SILENCE: Final = timedelta(seconds=19)
"""A watcher hears something every 20 s, a reading's pause included: proxies take a silent stream for a dead one."""


class EventsService:
    """Use cases of the Events slice."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._feed = QueueFeed(self.status)

    async def status(self) -> QueueStatus:
        """The queue as it is now."""
        async with self._work.read() as tx:
            return await MailRepository(tx.connection).status()

    async def watch(self) -> AsyncGenerator[QueueStatus, None]:
        """The queue at once, then again whenever it has changed and at least every 20 s, until the caller leaves.

        Raises Unavailable when the database fails: the caller asks again, and is never shown an old state as a new one.
        """
        shown = await self.status()
        yield shown
        while True:
            reading = await self._feed.next()
            if is_news(reading, shown):
                yield reading
                shown = reading


def is_news(reading: QueueStatus, shown: QueueStatus) -> bool:
    """Whether a watcher who was last shown `shown` should see this reading."""
    changed = replace(reading, as_of=shown.as_of) != shown
    return changed or reading.as_of - shown.as_of >= LONGEST_SILENCE
