"""The connection: its address and its TLS settings."""

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
    ("grpc.max_reconnect_backoff_ms", 2_000),  # reconnects within two seconds
    ("grpc.keepalive_time_ms", 90_000),  # the server allows one ping a minute, while calls are open
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.enable_retries", 0),  # this client retries: with keys and RetryInfo
)


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS settings of the connection; with `certificate` and `key` the client authenticates itself (mTLS)."""

    ca: Path | None = None
    """PEM file of the certificate authorities to trust; None: those that the system trusts."""
    certificate: Path | None = None
    """PEM file of the client's certificate and its intermediate certificates."""
    key: Path | None = None
    """PEM file of the client's private key."""
    server_name: str | None = None
    """The name in the server's certificate, if it differs from the host of the address."""


def open_channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    """Returns a channel to `host:port` or `unix:/path`; it connects with the first call.

    Without `tls` the channel is plaintext to this machine and uses TLS with the system's certificate authorities to
    any other: a forgotten argument must not send passwords and health data in the clear. Raises OSError if a file of
    `tls` cannot be read.
    """
    if tls is None:
        if stays_here(address):
            return grpc.aio.insecure_channel(address, options=OPTIONS)
        tls = Tls()
    credentials = grpc.ssl_channel_credentials(_bytes(tls.ca), _bytes(tls.key), _bytes(tls.certificate))
    named = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()
    return grpc.aio.secure_channel(address, credentials, options=(*OPTIONS, *named))


def stays_here(address: str) -> bool:
    """Returns whether the address is on this machine."""
    host = address.rpartition(":")[0].strip("[]")
    if address.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bytes(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
