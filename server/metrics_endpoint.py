"""Serves metrics to Prometheus over HTTP, in threads of their own: a blocked event loop must still show."""

import asyncio
import hmac
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from threading import Thread
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from server.config.tls import TlsFiles

PATH: Final = "/metrics"
READ_SECONDS: Final = 10
"""How long a client may take for its TLS handshake or its request."""


@dataclass(frozen=True, slots=True)
class MetricsAccess:
    """The conditions under which the metrics may be read."""

    token: str | None = None
    """The bearer token that readers must present; None: none."""
    tls: TlsFiles | None = None
    """The certificate; with a `client_ca`, readers must present a certificate of it. None: no TLS."""


@asynccontextmanager
async def served(registry: CollectorRegistry, address: str, access: MetricsAccess) -> AsyncIterator[int]:
    """Serves metrics at `host:port` until the block is left; yields the port.

    Raises OSError if the port is taken or a certificate cannot be read.
    """
    server = _server(registry, address, access)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


def _server(registry: CollectorRegistry, address: str, access: MetricsAccess) -> ThreadingHTTPServer:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    handler = type("Handler", (_Handler,), {"registry": registry, "token": access.token})
    kind = type("Server", (_Server,), {"address_family": AF_INET6 if ":" in host else AF_INET})
    server: ThreadingHTTPServer = kind((host, int(port)), handler)
    if access.tls is not None:
        # Without this option the one thread that accepts connections would wait for each client's handshake.
        server.socket = _context(access.tls).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def _context(tls: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores a connection that broke, such as by a failed handshake."""


class _Handler(BaseHTTPRequestHandler):
    """Returns the metrics to readers that may have them."""

    registry: CollectorRegistry
    token: str | None
    timeout = READ_SECONDS

    def do_GET(self) -> None:
        """Returns the metrics, in the format that the reader prefers."""
        if not self._is_admitted():
            self._reply(HTTPStatus.UNAUTHORIZED, "text/plain", b"", {"WWW-Authenticate": "Bearer"})
        elif self.path.partition("?")[0] != PATH:
            self._reply(HTTPStatus.NOT_FOUND, "text/plain", b"", {})
        else:
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._reply(HTTPStatus.OK, kind, encode(self.registry), {})

    def _is_admitted(self) -> bool:
        if self.token is None:
            return True
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode())

    def _reply(self, status: HTTPStatus, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Logs nothing: a line per scrape says nothing."""

    def version_string(self) -> str:
        """Returns the server's name without versions."""
        return "medconnect"
