"""Sinks that keep the chain's heads outside the database and the log: a file, or a syslog daemon.

A failed write is retried in the next round; meanwhile the health of the audit is NOT_SERVING.
"""

import asyncio
import os
import socket
from pathlib import Path
from typing import Final, Protocol

from server.audit.head_keys import FOLDER

FILE: Final = "file:"
SYSLOG: Final = "syslog:"
TIMEOUT_SECONDS: Final = 5.0

_FACILITY_AUDIT: Final = 13
_SEVERITY_NOTICE: Final = 5
_PRIORITY: Final = _FACILITY_AUDIT * 8 + _SEVERITY_NOTICE


class HeadSink(Protocol):
    """Destination that keeps lines of heads."""

    async def write(self, line: str) -> None:
        """Keeps one line durably. Raises OSError."""
        ...


class FileSink:
    """An append-only file, created if missing; each line is on disk before `write` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def write(self, line: str) -> None:
        """Appends a line. The file is reopened for each line, so that it can be moved away and archived."""
        await asyncio.to_thread(self._write, line.encode() + b"\n")

    def _write(self, data: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            if os.write(handle, data) != len(data):
                raise OSError("the line was written partially")
            os.fsync(handle)
        finally:
            os.close(handle)


class SyslogSink:
    """A syslog daemon: the path of its socket, or `host:port` over TCP (RFC 6587, one line per message).

    Plain UDP is not offered, because a lost head would go unnoticed.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    async def write(self, line: str) -> None:
        """Sends a line to the daemon."""
        await asyncio.to_thread(self._send, f"<{_PRIORITY}>medconnect: {line}".encode())

    def _send(self, message: bytes) -> None:
        if not self._address.startswith("/"):
            host, _, port = self._address.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_SECONDS) as connection:
                connection.sendall(message + b"\n")
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(self._address)
            connection.send(message)


def head_file(setting: str | None, home: Path) -> Path | None:
    """Returns the file that AUDIT_HEADS names, by default one in `home`; None when the setting names a daemon."""
    if setting is None:
        return home / FOLDER / "heads.log"
    return Path(setting.removeprefix(FILE)) if setting.startswith(FILE) else None


def head_sink(setting: str | None, home: Path) -> HeadSink:
    """Returns the sink that the setting AUDIT_HEADS names."""
    path = head_file(setting, home)
    return SyslogSink((setting or "").removeprefix(SYSLOG)) if path is None else FileSink(path)
