"""The chain over the audit's records, without storage: what is hashed, and how its head is signed.

Each hash is SHA-256 over the hash before it and the record in canonical form, so that whoever changes, removes, inserts
or swaps sealed records would have to write all later hashes anew; the signed heads, logged each minute and kept outside
the database, show that too. Sources: RFC 8785 (canonical JSON: sorted keys, no spaces); RFC 8032 (Ed25519).
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
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

START: Final = bytes(32)
"""The hash before the first record's."""

_PURPOSE: Final = "medconnect audit head 1"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain at some moment: so many records, and the hash of the last."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head as it is logged; all texts."""

    position: int
    hash: str
    """64 hexadecimal digits."""
    signature: str
    """Ed25519, base64url without padding."""


def next_hash(before: bytes, record: Mapping[str, Any]) -> bytes:
    """The hash of a record (its columns by name) that follows the record with the hash `before`."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text)
    return hashlib.sha256(before + canonical.encode()).digest()


class HeadKey:
    """Signs heads and knows its own signatures; secret: 32 bytes, kept outside the database."""

    def __init__(self, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)

    def sign(self, head: Head) -> SignedHead:
        """The head with its signature."""
        signature = self._private.sign(_signed_bytes(head))
        text = base64.urlsafe_b64encode(signature).decode().rstrip("=")
        return SignedHead(head.position, head.hash.hex(), text)

    def read(self, signed: SignedHead) -> Head | None:
        """The head, if this key signed it."""
        try:
            head = Head(signed.position, bytes.fromhex(signed.hash))
            signature = base64.urlsafe_b64decode(signed.signature + "==")
            self._private.public_key().verify(signature, _signed_bytes(head))
        except (InvalidSignature, ValueError):
            return None
        return head


def _signed_bytes(head: Head) -> bytes:
    return f"{_PURPOSE}|{head.position}|{head.hash.hex()}".encode()


def _text(value: object) -> str:
    """What JSON has no form for: moments to the microsecond in UTC, and ids."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case _:
            raise TypeError(f"the audit does not know how to write a {type(value).__name__}")
