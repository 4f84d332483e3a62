"""Where gRPC listens: on TCP, with TLS when there is a certificate, and on a Unix socket for the edge."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
import structlog

from server.config.tls import TlsFiles

_log = structlog.get_logger()

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    # One limit, not two: between a soft and a hard one gRPC refuses calls by chance.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # by itself a minute, which counts instead while data is on its way
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
)
"""What a connection may cost."""


def listen(server: grpc.aio.Server, address: str, tls: TlsFiles | None = None) -> int:
    """Listen on `host:port`; answers the port. Raises OSError when somebody else does, or a file of TLS is unusable."""
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, _credentials(tls))
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
            listen(server, f"unix:{socket.absolute()}")
        finally:
            os.umask(before)
        yield


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """TLS 1.2 or 1.3; with `client_ca`, callers without a certificate of it are refused in the handshake."""
    certificate = _Certificate(tls)
    must_show_one = tls.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(certificate.read(), certificate.renewed, must_show_one)  # type: ignore[arg-type] # None is documented: nothing newer


class _Certificate:
    """The certificate in force; gRPC asks before each handshake whether there is a newer one."""

    def __init__(self, tls: TlsFiles) -> None:
        self._tls = tls
        self._versions = tls.versions()

    def read(self) -> grpc.ServerCertificateConfiguration:
        """What the files hold now. Raises OSError when that cannot be used."""
        tls = self._tls
        tls.check_pair()
        tls.check_client_ca()
        roots = tls.client_ca.read_bytes() if tls.client_ca else None
        return grpc.ssl_server_certificate_configuration([(tls.key.read_bytes(), tls.certificate.read_bytes())], roots)

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files hold now if they were replaced, and None while the former certificate stays in force."""
        versions = self._tls.versions()
        if versions == self._versions:
            return None
        try:
            renewed = self.read()
        except OSError as error:  # half of a pair, at the moment of its replacement: the next handshake tries again
            _log.warning("certificate_not_renewed", error=type(error).__name__)
            return None
        self._versions = versions
        return renewed
