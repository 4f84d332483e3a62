"""LISTEN and NOTIFY between the processes on one database; a notification has no payload.

Notifications can be lost while there is no connection, so subscribers must also poll.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Final

from server import background
from server.db.pool import Connect

PAUSE_SECONDS: Final = 0.02
"""The pause between two notifications of a process: NOTIFY takes a lock that all transactions share."""
RECONNECT_SECONDS: Final = 0.5

Callback = Callable[[], None]


class Channel(StrEnum):
    """The subjects of notifications."""

    MAIL = "medconnect_mail"
    """Emails or events were added or changed."""
    FEED = "medconnect_feed"
    """Events have been given positions in the feed."""


class Notifications:
    """LISTEN and NOTIFY of one process, on a dedicated connection.

    connect: opens the connection, which is used for nothing else, so that NOTIFY never runs inside a use case's
    transaction: that would serialize the commits of use cases.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._subscribers: dict[Channel, list[Callback]] = {channel: [] for channel in Channel}
        self._to_notify: set[Channel] = set()
        self._wake = asyncio.Event()

    def notify(self, channel: Channel) -> None:
        """Schedules a notification of all subscribers; calls until it is sent are merged into one."""
        self._to_notify.add(channel)
        self._wake.set()

    @contextmanager
    def subscribe(self, channel: Channel, callback: Callback) -> Iterator[None]:
        """Calls `callback` at each notification from any process, while the block runs."""
        self._subscribers[channel].append(callback)
        try:
            yield
        finally:
            self._subscribers[channel].remove(callback)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens and notifies until the block is left."""
        connections = background.repeat(  # after any error it reconnects; meanwhile subscribers poll
            self._listen_and_wake, every=RECONNECT_SECONDS, failed="notifications_lost", level=logging.INFO
        )
        async with background.running(connections):
            yield

    async def _listen_and_wake(self) -> None:
        """Listens and notifies on one connection. Raises the driver's errors, and OSError when the connection ends."""
        connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _: self._wake.set())
            for channel in Channel:
                await connection.add_listener(channel, self._call_subscribers)
            while not connection.is_closed():
                while self._to_notify:
                    await connection.execute(f"NOTIFY {self._to_notify.pop()}")
                await asyncio.sleep(PAUSE_SECONDS)
                await self._wake.wait()
                self._wake.clear()
            raise ConnectionResetError
        finally:
            connection.terminate()

    def _call_subscribers(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        for callback in self._subscribers[Channel(channel)]:
            callback()
