"""A local SMTP server that accepts every email at little cost, for a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_END_OF_CONTENT: Final = b"\r\n.\r\n"
_EHLO: Final = b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
_REPLIES: Final = {b"EHLO": _EHLO, b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
_OK: Final = b"250 OK\r\n"


@asynccontextmanager
async def smtp_sink() -> AsyncIterator[int]:
    """Accepts emails, discards them, and yields its port."""
    server = await asyncio.get_running_loop().create_server(_Dialog, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class _Dialog(asyncio.Protocol):
    """A connection of a client."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets the client."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Replies to all commands that have arrived, in one packet."""
        self._received += data
        replies = []
        while (reply := self._next_reply()) is not None:
            replies.append(reply)
        if replies:
            self._transport.write(b"".join(replies))

    def _next_reply(self) -> bytes | None:
        """Removes a command or a whole content from what was received; returns None if neither is complete."""
        end = _END_OF_CONTENT if self._in_content else b"\r\n"
        found = self._received.find(end)
        if found < 0:
            return None
        line = bytes(self._received[:found])
        del self._received[: found + len(end)]
        if self._in_content:
            self._in_content = False
            return _OK
        self._in_content = line == b"DATA"
        return _REPLIES.get(line[:4].upper(), _OK)
