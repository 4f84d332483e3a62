"""Calls Envoy's admin interface over its Unix socket."""

import asyncio
import json
from pathlib import Path
from typing import Final
from urllib.parse import quote

TIMEOUT_SECONDS: Final = 2.0


class AdminError(Exception):
    """The admin interface could not be reached or did not return 200."""


class Admin:
    """The admin interface of one Envoy; every method except `ready` raises AdminError when a call fails."""

    def __init__(self, socket: Path) -> None:
        """Keeps the socket's path; each call opens a connection of its own."""
        self._socket = socket

    async def ready(self) -> bool:
        """Returns true if Envoy serves: its listeners are open and each server's health was checked once."""
        try:
            await self._ask("GET", "/ready")
        except AdminError:
            return False
        return True

    async def addresses(self) -> dict[str, tuple[str, int]]:
        """Returns the host and port of each listener, by its name."""
        listeners = json.loads(await self._ask("GET", "/listeners?format=json"))["listener_statuses"]
        found = {str(listener["name"]): listener["local_address"]["socket_address"] for listener in listeners}
        return {name: (str(place["address"]), int(place["port_value"])) for name, place in found.items()}

    async def counter(self, name: str) -> int:
        """Returns a counter or gauge by its full name; 0 if it does not exist yet."""
        stats = json.loads(await self._ask("GET", f"/stats?format=json&filter=^{name}$"))["stats"]
        return int(stats[0]["value"]) if stats else 0

    async def counters(self, pattern: str) -> dict[str, int]:
        """Returns the counters and gauges whose full names match the regular expression, by name."""
        stats = json.loads(await self._ask("GET", f"/stats?format=json&filter={quote(pattern)}"))["stats"]
        return {str(stat["name"]): int(stat["value"]) for stat in stats if "value" in stat}

    async def drain(self) -> None:
        """Starts draining: responses carry `connection: close` (HTTP/2: GOAWAY), and later the ports are closed."""
        await self._ask("POST", "/drain_listeners?graceful&skip_exit")

    async def _ask(self, method: str, path: str) -> bytes:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._exchange(method, path)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise AdminError(f"{method} {path}: {error!r}") from error

    async def _exchange(self, method: str, path: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            request = f"{method} {path} HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            writer.write(request.encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.read()
        finally:
            writer.close()
        if not head.startswith(b"http/1.1 200"):
            raise AdminError(f"{method} {path}: {head.splitlines()[0].decode()}")
        return unchunked(body) if b"transfer-encoding: chunked" in head else body


def unchunked(body: bytes) -> bytes:
    """Joins the chunks of a chunked HTTP/1.1 body."""
    pieces: list[bytes] = []
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return b"".join(pieces)
        pieces.append(body[:length])
        body = body[length + 2 :]
