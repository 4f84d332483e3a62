"""Opens the gRPC listeners: on TCP, with TLS if there is a certificate, and on a Unix socket for the edge."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import structlog

from server.config.tls import TlsFiles

_log = structlog.get_logger()

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    # Both limits are equal: between a soft and a hard limit gRPC refuses calls at random.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # the default is one minute, and applies instead while data is in flight
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
)
"""The limits of a connection."""

OWN_LINES: Final = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/medconnect.auth.v1.AuthService/Login",
        "/medconnect.auth.v1.AuthService/Register",
    }
)
"""The methods that gRPC accepts on a line of their own; all others share one.

grpc.aio accepts one call per line and turn of the event loop. So 200 sign-ins at a time do not delay health checks.
"""


class AcceptLines:
    """Adds servicers to a server, and registers only the methods of OWN_LINES.

    Generated code registers every method. For each registered method grpc.aio keeps a task, and at every call it waits
    for all of them: with 61 methods that costs about 36 µs of CPU a call.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Adds the handlers that the shared line looks methods up in."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Registers the handlers of this service whose methods have a line of their own."""
        own = {name: handler for name, handler in handlers.items() if f"/{service}/{name}" in OWN_LINES}
        if own:
            self._server.add_registered_method_handlers(service, own)


def listen(server: grpc.aio.Server, address: str, tls: TlsFiles | None = None) -> int:
    """Listens on `host:port` and returns the port. Raises OSError if it is in use or a TLS file is unusable."""
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, _credentials(tls))
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: is another server running?") from error


@contextmanager
def listening_on_socket(server: grpc.aio.Server, socket: Path) -> Iterator[None]:
    """Listens on a Unix socket that only this account can reach, and that no other process takes over meanwhile.

    A socket left by a killed process is removed; the lock file next to it shows whether a server still runs.
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
    """Returns credentials for TLS 1.2 or 1.3; with `client_ca`, clients without a certificate fail the handshake."""
    certificate = _Certificate(tls)
    must_show_one = tls.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(certificate.read(), certificate.renewed, must_show_one)  # type: ignore[arg-type] # None is documented: nothing newer


class _Certificate:
    """The certificate in use; gRPC checks before each handshake whether there is a newer one."""

    def __init__(self, tls: TlsFiles) -> None:
        self._tls = tls
        self._versions = tls.versions()

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Returns the content of the files. Raises OSError if it is unusable."""
        tls = self._tls
        tls.check_pair()
        tls.check_client_ca()
        roots = tls.client_ca.read_bytes() if tls.client_ca else None
        return grpc.ssl_server_certificate_configuration([(tls.key.read_bytes(), tls.certificate.read_bytes())], roots)

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns the content of the files if they were replaced; None while the previous certificate stays in use."""
        versions = self._tls.versions()
        if versions == self._versions:
            return None
        try:
            renewed = self.read()
        except OSError as error:  # the files of a pair are replaced one by one: the next handshake tries again
            _log.warning("certificate_not_renewed", error=type(error).__name__)
            return None
        self._versions = versions
        return renewed
