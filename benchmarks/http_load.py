"""Calls an HTTP/1.1 server on connections that stay open, with as little of the client's own CPU as possible."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

IN_FLIGHT: Final = 8
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length: "
LAST_CHUNK: Final = b"0\r\n\r\n"


class CallFailed(Exception):
    """The server closed the connection or returned another status than 200."""


class Connection(asyncio.Protocol):
    """A connection that repeats one request; answers have a content-length, or end with an empty chunk."""

    def __init__(self, request: bytes) -> None:
        self.length = 0
        """Bytes of the latest answer's body."""
        self._request = request
        self._left = 0
        self._received = bytearray()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    @classmethod
    @asynccontextmanager
    async def several(cls, port: int, request: bytes) -> AsyncIterator[Sequence[Self]]:
        """Opens IN_FLIGHT connections to a port of this machine."""
        loop = asyncio.get_running_loop()
        opened = [await loop.create_connection(lambda: cls(request), "127.0.0.1", port) for _ in range(IN_FLIGHT)]
        try:
            yield [connection for _, connection in opened]
        finally:
            for transport, _ in opened:
                transport.close()

    async def call(self, times: int) -> None:
        """Sends the request `times` times, one after the other. Raises CallFailed."""
        self._left, self._done = times, asyncio.get_running_loop().create_future()
        self._send()
        await self._done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport of a new connection."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the calls in flight."""
        if not self._done.done():
            self._done.set_exception(CallFailed(f"connection closed: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Sends the next request as soon as an answer is complete."""
        self._received += data
        head = self._received.find(HEAD_END)
        if head < 0 or not self._is_whole(head):
            return
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(CallFailed(bytes(self._received).decode(errors="replace")))
            return
        self.length = len(self._received) - head - len(HEAD_END)
        self._received.clear()
        self._left -= 1
        if self._left > 0:
            self._send()
        else:
            self._done.set_result(None)

    def _is_whole(self, head: int) -> bool:
        at = self._received.find(LENGTH, 0, head)
        if at < 0:
            return self._received.endswith(LAST_CHUNK)
        length = self._received[at + len(LENGTH) : head].split(b"\r", 1)[0]
        return len(self._received) >= head + len(HEAD_END) + int(length)

    def _send(self) -> None:
        if self._transport is not None:
            self._transport.write(self._request)
