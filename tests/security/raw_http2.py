"""An HTTP/2 client that may misbehave."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from hyperframe.frame import ContinuationFrame, HeadersFrame

Headers = Sequence[tuple[str, str]]


class RawHttp2:
    """One connection; `goaway` is the code with which the server ended it, `closed` says that it is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.goaway: int | None = None
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer

    async def send(self) -> None:
        """Write what the connection has to say. Raises OSError when the server does not listen any more."""
        self._writer.write(self.connection.data_to_send())
        await self._writer.drain()

    async def read(self) -> None:
        """Read until the server closes."""
        try:
            while data := await self._reader.read(65536):
                for event in self.connection.receive_data(data):
                    if isinstance(event, ConnectionTerminated):
                        self.goaway = event.error_code
        except OSError:
            pass
        self.closed.set()

    async def send_headers_without_end(self, most: int) -> int:
        """Begin a request and go on naming headers; answers how many bytes before the server closed the connection."""
        header = b"\x00\x03x-a\x7f\x71" + 240 * b"y"  # HPACK: a literal that is not kept, 240 characters long
        frame: HeadersFrame | ContinuationFrame = HeadersFrame(1, 60 * header)
        sent = 0
        while sent < most and not self.closed.is_set() and self.goaway is None:
            self._writer.write(frame.serialize())
            sent += len(frame.data)
            frame = ContinuationFrame(1, 60 * header)
            try:
                await self._writer.drain()
            except OSError:
                break
            await asyncio.sleep(0)
        return sent

    async def open_and_reset(self, headers: Headers, count: int) -> int:
        """Open streams and reset each at once; answers how many before the server closed the connection."""
        for number in range(count):
            if self.closed.is_set() or self.goaway is not None:
                return number
            stream = self.connection.get_next_available_stream_id()
            self.connection.send_headers(stream, headers)
            self.connection.reset_stream(stream, ErrorCodes.CANCEL)
            try:
                await self.send()
            except OSError:
                return number
            await asyncio.sleep(0)
        return count


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawHttp2]:
    """A connection to a port on loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw = RawHttp2(reader, writer)
    raw.connection.initiate_connection()
    await raw.send()
    reading = asyncio.create_task(raw.read())
    try:
        yield raw
    finally:
        reading.cancel()
        writer.close()
