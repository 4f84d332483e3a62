"""Where a serving process listens: a TCP port, and a Unix socket for the edge."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc.aio


def listen_on(server: grpc.aio.Server, address: str) -> int:
    """Listen on `host:port` or `unix:path`; answers the port. Raises OSError."""
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: is another server running?") from error


@contextmanager
def listening_on_socket(server: grpc.aio.Server, socket: Path) -> Iterator[None]:
    """Listen on a Unix socket that only this account reaches, and that no other process takes over meanwhile.

    One left by a killed process is removed; the lock beside it tells whether anybody lives.
    """
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with socket.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"another server of this MEDCONNECT_HOME listens on {socket}") from error
        socket.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listen_on(server, f"unix:{socket.absolute()}")
        finally:
            os.umask(before)
        yield
