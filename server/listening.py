"""Where a server listens, and what a connection may cost."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc.aio

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.so_reuseport", 0),
)
"""What a connection may cost."""


def listen_on(server: grpc.aio.Server, address: str) -> int:
    """Listen on `host:port` or `unix:path`; answers the port. Raises OSError if it is taken."""
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
