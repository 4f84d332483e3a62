"""LISTEN and NOTIFY between the processes on one database: a ring says that something happened, never what.

A ring may get lost, with a connection or before one is made. Whoever listens looks for himself from time to time, too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from server import background

PAUSE_SECONDS: Final = 0.02
"""Between two rings of a process: NOTIFY takes a lock that all transactions share."""
RECONNECT_SECONDS: Final = 0.5

_log = structlog.get_logger()

Heard = Callable[[], None]


class Channel(StrEnum):
    """What a ring is about."""

    MAIL = "medconnect_mail"
    """Mails or events were added or changed."""
    FEED = "medconnect_feed"
    """Events have got their places in the feed."""


class Notifications:
    """The ears and the bell of one process, on a connection of their own.

    engine: for nothing else, so that no transaction is ever open when it rings: NOTIFY within the transactions of use
    cases would have them commit one after the other.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._heard: dict[Channel, list[Heard]] = {channel: [] for channel in Channel}
        self._to_ring: set[Channel] = set()
        self._wake = asyncio.Event()

    def notify(self, channel: Channel) -> None:
        """Let everybody who listens know, in a moment; however often it is called meanwhile, they hear it once."""
        self._to_ring.add(channel)
        self._wake.set()

    @contextmanager
    def subscribe(self, channel: Channel, callback: Heard) -> Iterator[None]:
        """Call back at each ring, whichever process rang, while the block runs."""
        self._heard[channel].append(callback)
        try:
            yield
        finally:
            self._heard[channel].remove(callback)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen and ring until the block is left."""
        async with background.running(self._stay_connected()):
            yield

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._listen_and_wake()
            except Exception as error:  # whatever it is: those who listen do without, and it is tried again
                _log.info("notifications_lost", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_and_wake(self) -> None:
        """Raises what the driver raises, OSError when the connection is lost."""
        async with self._engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            try:
                raw.add_termination_listener(lambda _: self._wake.set())
                for channel in Channel:
                    await raw.add_listener(channel, self._hear)
                while not raw.is_closed():
                    while self._to_ring:
                        await raw.execute(f"NOTIFY {self._to_ring.pop()}")
                    await asyncio.sleep(PAUSE_SECONDS)
                    await self._wake.wait()
                    self._wake.clear()
                raise ConnectionResetError
            finally:
                await connection.invalidate()

    def _hear(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        for callback in self._heard[Channel(channel)]:
            callback()
