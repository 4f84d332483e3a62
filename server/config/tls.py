"""The certificate with which the server shows who it is, as files that are replaced when it is renewed."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the PEM files are."""

    certificate: Path
    """The server's certificate, with those between it and its root behind it."""
    key: Path
    """Its private key."""
    client_ca: Path | None = None
    """The roots that callers' certificates must come from; none: callers need no certificate."""

    def check_pair(self) -> None:
        """Raise OSError (of which ssl.SSLError is one) unless the key belongs to the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key, password=_no_password)

    def check_client_ca(self) -> None:
        """Raise OSError for roots that are none."""
        if self.client_ca is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(self.client_ca)

    def versions(self) -> tuple[int, ...]:
        """What differs after any of the files was replaced; 0 stands for one that is missing."""
        files = (self.certificate, self.key, *((self.client_ca,) if self.client_ca else ()))
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


def _no_password() -> str:
    """Nobody sits at the server to type one: a key that asks for it is refused."""
    return ""
