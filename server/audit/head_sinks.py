"""Where the chain's heads are kept, apart from database and log: a file, or a syslog daemon.

A head that cannot be written is written again with the next round, and meanwhile the health of the audit says so.
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
    """Keeps lines."""

    async def write(self, line: str) -> None:
        """Keeps one line for good, or raises OSError."""
        ...


class FileSink:
    """A file to which lines are only added, each on disk before `write` returns; a missing one is made."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def write(self, line: str) -> None:
        """Adds a line. The file is opened anew each time, so that it may be moved away and archived."""
        await asyncio.to_thread(self._write, line.encode() + b"\n")

    def _write(self, data: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            if os.write(handle, data) != len(data):
                raise OSError("the line was written in part")
            os.fsync(handle)
        finally:
            os.close(handle)


class SyslogSink:
    """A syslog daemon: the path of its socket, or `host:port` over TCP (RFC 6587, a line for each message).

    Plain UDP is not offered: nothing would say that a head got lost.
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
    """Returns the file that the setting AUDIT_HEADS names, None when it names a daemon; without one it is in `home`."""
    if setting is None:
        return home / FOLDER / "heads.log"
    return Path(setting.removeprefix(FILE)) if setting.startswith(FILE) else None


def head_sink(setting: str | None, home: Path) -> HeadSink:
    """Returns the sink of the setting AUDIT_HEADS."""
    path = head_file(setting, home)
    return SyslogSink((setting or "").removeprefix(SYSLOG)) if path is None else FileSink(path)
