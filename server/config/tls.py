"""The server's TLS certificate, as files that are replaced when it is renewed."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The paths of the PEM files."""

    certificate: Path
    """The server's certificate, followed by its intermediate certificates."""
    key: Path
    """The certificate's private key."""
    client_ca: Path | None = None
    """The root certificates for client certificates; None: clients need no certificate."""

    def check_pair(self) -> None:
        """Raises OSError (of which ssl.SSLError is one) unless the key belongs to the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key, password=_no_password)

    def check_client_ca(self) -> None:
        """Raises OSError if the file holds no root certificates."""
        if self.client_ca is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(self.client_ca)

    def versions(self) -> tuple[int, ...]:
        """Returns values that change when any of the files is replaced; 0 stands for a missing file."""
        files = (self.certificate, self.key, *((self.client_ca,) if self.client_ca else ()))
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


def _no_password() -> str:
    """Returns an empty password, so that an encrypted key is refused instead of prompting for one."""
    return ""
