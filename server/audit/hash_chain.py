"""Hash chain over the audit records, without storage: hashing of records and signing of heads.

Each hash is SHA-256 over the previous hash and the record in canonical form: changing, removing, inserting or swapping
sealed records requires rewriting all later hashes. The signed heads, one for each sealed batch and kept outside the
database, reveal even that. Sources: RFC 8785 (canonical JSON: sorted keys, no spaces); RFC 8032 (Ed25519).
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server import base64url

START: Final = bytes(32)
"""The hash that precedes the first record's."""

_PURPOSE: Final = "medconnect audit head 1"
_KEY_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain at some time: the number of records, and the hash of the last."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head as written to its sink and to the log."""

    position: int
    hash: str
    """64 hexadecimal digits."""
    key: str
    """The id of the key that signed it; empty in heads that were signed before keys had ids."""
    signature: str
    """Ed25519, base64url without padding."""


def next_hash(before: bytes, record: Mapping[str, Any]) -> bytes:
    """Returns the hash of a record (its columns by name) that follows the record with the hash `before`."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text)
    return hashlib.sha256(before + canonical.encode()).digest()


class HeadKey:
    """Signs heads; secret: 32 bytes, kept outside the database and derived from nothing else."""

    def __init__(self, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key()
        """The public half; it verifies heads even after the key itself was replaced."""
        self.key_id = key_id(self.public)

    def sign(self, head: Head) -> SignedHead:
        """Returns the head with its signature."""
        signature = base64url.encode(self._private.sign(_signed_bytes(head)))
        return SignedHead(head.position, head.hash.hex(), self.key_id, signature)


def key_id(public: Ed25519PublicKey) -> str:
    """Returns the id of a key: base64url of the first 8 bytes of SHA-256 of its public half."""
    return base64url.encode(hashlib.sha256(public.public_bytes_raw()).digest()[:_KEY_ID_BYTES])


def is_signed(signed: SignedHead, public: Ed25519PublicKey) -> bool:
    """Returns whether the key with this public half signed the head."""
    try:
        head = Head(signed.position, bytes.fromhex(signed.hash))
        public.verify(base64.urlsafe_b64decode(signed.signature + "=="), _signed_bytes(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_bytes(head: Head) -> bytes:
    return f"{_PURPOSE}|{head.position}|{head.hash.hex()}".encode()


def _text(value: object) -> str:
    """Returns the text of values that JSON lacks: UTC timestamps to the microsecond, and ids."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case _:
            raise TypeError(f"the audit cannot serialize a {type(value).__name__}")
