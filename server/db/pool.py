"""Connections to one database, opened when they are needed and kept for the next use."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from server.db.connection import Connection
from server.db.failures import FAILURES
from server.errors import ServerBusy

WAIT_SECONDS: Final = 1
RECYCLE_SECONDS: Final = 1800
CLOSE_SECONDS: Final = 2


Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]
"""Opens a connection of the driver."""


class Pool:
    """A pool of connections; the one that was used last is used first.

    size: the most connections at a time. keep_seconds: how long a connection is used again; 0: each one only once.
    """

    def __init__(self, connect: Connect, size: int, keep_seconds: float = RECYCLE_SECONDS) -> None:
        self._connect = connect
        self._size = size
        self._keep_seconds = keep_seconds
        self._open = 0
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def size(self) -> int:
        """The most connections at a time."""
        return self._size

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a connection."""
        return sum(not waiting.done() for waiting in list(self._waiting))

    @property
    def used(self) -> int:
        """The number of connections that are in use or being opened or closed."""
        return self._open - len(self._idle)

    async def acquire(self) -> Connection:
        """Returns a connection, which must be given to `release`.

        Raises ServerBusy after WAIT_SECONDS without a free connection, and the driver's errors when it cannot connect.
        """
        while self._idle:
            connection = self._idle.pop()
            if self._is_usable(connection):
                return connection
            self._discard(connection)
        if self._open < self._size:
            self._open += 1
            return await self._opened()
        given = await self._given()
        return await self._opened() if given is None else given

    def release(self, connection: Connection) -> None:
        """Takes a connection back: the next caller gets it, unless it is broken or still in a transaction."""
        if not self._is_usable(connection) or connection.driver.is_in_transaction():
            self._discard(connection)
        elif (waiting := self._next_waiting()) is not None:
            waiting.set_result(connection)
        else:
            self._idle.append(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yields a connection for the block; raises as `acquire` does."""
        connection = await self.acquire()
        try:
            yield connection
        finally:
            self.release(connection)

    async def close(self) -> None:
        """Closes the connections that are not in use, and waits until all closed ones are gone."""
        while self._idle:
            self._discard(self._idle.pop())
        while self._closing:
            await asyncio.wait(self._closing)

    def _is_usable(self, connection: Connection) -> bool:
        if connection.is_broken or connection.driver.is_closed():
            return False
        return asyncio.get_running_loop().time() - connection.opened_at < self._keep_seconds

    async def _opened(self) -> Connection:
        """Opens a connection in a place that is taken already."""
        try:
            driver = await self._connect()
        except BaseException:
            self._free_slot()
            raise
        return Connection(driver, asyncio.get_running_loop().time())

    async def _given(self) -> Connection | None:
        """Waits for a connection that is released, or for a free place: None. Raises ServerBusy."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(waiting)
        timer = loop.call_later(WAIT_SECONDS, _refuse, waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._pass_on(waiting.result())
            raise
        finally:
            timer.cancel()

    def _pass_on(self, given: Connection | None) -> None:
        if given is None:
            self._free_slot()
        else:
            self.release(given)

    def _next_waiting(self) -> "asyncio.Future[Connection | None] | None":
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting
        return None

    def _free_slot(self) -> None:
        waiting = self._next_waiting()
        if waiting is None:
            self._open -= 1
        else:
            waiting.set_result(None)

    def _discard(self, connection: Connection) -> None:
        """Closes a connection in the background; its place is free when it is gone."""
        if connection.driver.is_closed():
            self._free_slot()
            return
        task = asyncio.get_running_loop().create_task(_close(connection.driver))
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self._free_slot()


async def _close(driver: "asyncpg.Connection[Any]") -> None:
    """Closes a connection; the driver first cancels the statement that a cancelled task has left running."""
    try:
        await driver.close(timeout=CLOSE_SECONDS)
    except FAILURES:
        driver.terminate()


def _refuse(waiting: "asyncio.Future[Connection | None]") -> None:
    if not waiting.done():
        waiting.set_exception(ServerBusy())
