"""An HTTP/2 client that may misbehave."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, ResponseReceived, StreamReset
from h2.settings import SettingCodes, Settings
from hyperframe.frame import ContinuationFrame, HeadersFrame

Headers = Sequence[tuple[str, str]]


class RawHttp2:
    """An HTTP/2 connection; `goaway` is the code with which the server ended it, `closed` is set once it is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.goaway: int | None = None
        self.closed = asyncio.Event()
        self.statuses: list[str] = []
        """The HTTP status of each answer that has begun, followed by a slash and the gRPC status if it was an error."""
        self.resets = 0
        self.asked = 0
        """How many requests `ask` has sent."""
        self._reader = reader
        self._writer = writer

    async def ask(self, headers: Headers, body: bytes = b"") -> None:
        """Sends a whole request; its outcome is in `statuses` and `resets`."""
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, headers, end_stream=not body)
        if body:
            self.connection.send_data(stream, body, end_stream=True)
        await self.send()
        self.asked += 1

    @property
    def answered(self) -> bool:
        """Returns whether every request of `ask` has the beginning of an answer or the server has disconnected."""
        return self.closed.is_set() or len(self.statuses) == self.asked

    async def send(self) -> None:
        """Writes the pending bytes of the connection. Raises OSError when the server has stopped listening."""
        self._writer.write(self.connection.data_to_send())
        await self._writer.drain()

    async def read(self) -> None:
        """Reads until the server closes."""
        try:
            while data := await self._reader.read(65536):
                for event in self.connection.receive_data(data):
                    if isinstance(event, ConnectionTerminated):
                        self.goaway = event.error_code
                    elif isinstance(event, ResponseReceived):
                        self.statuses.append(_status({str(name): str(value) for name, value in event.headers}))
                    elif isinstance(event, StreamReset):
                        self.resets += 1
        except OSError:
            pass
        self.closed.set()

    async def send_headers_without_end(self, most: int) -> int:
        """Begins a request and keeps sending headers; returns how many bytes were sent until the server closed."""
        header = b"\x00\x03x-a\x7f\x71" + 240 * b"y"  # HPACK: a literal that is not indexed, 240 characters long
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
        """Opens streams and resets each at once; returns how many were opened until the server closed."""
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


def _status(headers: Mapping[str, str]) -> str:
    return "/".join(filter(None, (headers[":status"], headers.get("grpc-status"))))


@asynccontextmanager
async def connected(port: int, *, reads: bool = True, source: str = "127.0.0.1") -> AsyncIterator[RawHttp2]:
    """Connects to a port on loopback; without `reads` the server may send no byte of an answer's body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    raw = RawHttp2(reader, writer)
    if not reads:
        raw.connection.local_settings = Settings(client=True, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: 0})
    raw.connection.initiate_connection()
    await raw.send()
    reading = asyncio.create_task(raw.read())
    try:
        yield raw
    finally:
        reading.cancel()
        writer.close()
