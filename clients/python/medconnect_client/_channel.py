"""The connection: where to, and how it is secured."""

import ipaddress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import grpc.aio

OPTIONS: Final = (
    ("grpc.primary_user_agent", f"medconnect-client/{version('medconnect-client')}"),  # the audit keeps it
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # a server that is back is found within two seconds
    ("grpc.keepalive_time_ms", 90_000),  # the server takes one ping a minute, while calls are open
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.enable_retries", 0),  # the client repeats by itself: it knows the keys and what the server asks for
)


@dataclass(frozen=True, slots=True)
class Tls:
    """How the connection is secured; with certificate and key the client shows who it is (mTLS)."""

    ca: Path | None = None
    """PEM file of the authorities that may vouch for the server; None: those that the system trusts."""
    certificate: Path | None = None
    """PEM file of the client's own certificate, with those of its issuers."""
    key: Path | None = None
    """PEM file of its private key."""
    server_name: str | None = None
    """The name in the server's certificate, where it is not the host of the address."""


def open_channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    """A channel to `host:port`, or `unix:/path`; it connects with the first call.

    Without `tls` it is plain where it stays on this machine, and secured by the system's authorities elsewhere: nobody
    sends passwords and health data in the clear by leaving something out. Raises OSError if a file of `tls` cannot be
    read.
    """
    if tls is None:
        if stays_here(address):
            return grpc.aio.insecure_channel(address, options=OPTIONS)
        tls = Tls()
    credentials = grpc.ssl_channel_credentials(_bytes(tls.ca), _bytes(tls.key), _bytes(tls.certificate))
    named = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()
    return grpc.aio.secure_channel(address, credentials, options=(*OPTIONS, *named))


def stays_here(address: str) -> bool:
    """Whether the connection never leaves this machine."""
    host = address.rpartition(":")[0].strip("[]")
    if address.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bytes(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
