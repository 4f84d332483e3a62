"""The keys of sessions, all derived from one secret (`JWT_SECRET`) with HKDF-SHA256, each for its own purpose.

Source: RFC 5869 (HKDF, `info` binds a key to its purpose); RFC 8037 (Ed25519 in JOSE).
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET_BYTES: Final = 32

_KEY_BYTES: Final = 32
_SIGNING_INFO: Final = b"medconnect access-token ed25519"
_REFRESH_INFO: Final = b"medconnect refresh-token successor hmac-sha256"
_KEY_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """The key that signs access tokens."""

    private: Ed25519PrivateKey = field(repr=False)
    key_id: str
    """The token's `kid`: base64url of the first 8 bytes of SHA-256 of the public key."""

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """The key of a secret; the same secret always gives the same key. Raises ValueError for a short secret."""
        private = Ed25519PrivateKey.from_private_bytes(_derive(secret, _SIGNING_INFO))
        digest = hashlib.sha256(private.public_key().public_bytes_raw()).digest()
        return cls(private, _base64url(digest[:_KEY_ID_BYTES]))

    def published(self) -> "PublishedKey":
        """The public half."""
        return PublishedKey(self.key_id, _base64url(self.private.public_key().public_bytes_raw()))


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """What anybody may know of a signing key."""

    key_id: str
    x: str
    """The public key, base64url without padding (RFC 8037)."""


def refresh_key(secret: bytes) -> bytes:
    """The key under which the successor of a refresh token is derived. Raises ValueError for a short secret."""
    return _derive(secret, _REFRESH_INFO)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _derive(secret: bytes, info: bytes) -> bytes:
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"the secret of sessions needs at least {MIN_SECRET_BYTES} bytes")
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)
