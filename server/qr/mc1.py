"""The first format of QR texts, `MC1.<key id>.<base64url without padding>`: read, and rebuilt for codes stored in it.

The last part is nonce (12 bytes), AES-256-GCM ciphertext (40) and tag (16). Version, key id, purpose and issuer are
associated data. New codes are not written in it, because a scanner under the wrong keyboard layout changes its text.
"""

import base64
import re
import struct
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag

from server import base64url
from server.errors import QrCodeInvalid
from server.qr.key_ring import KEY_ID, QrKeyRetired, QrKeyRing

VERSION: Final = "MC1"

_NONCE_BYTES: Final = 12
_CONTENT: Final = struct.Struct(">16s16sII")
_TEXT: Final = re.compile(rf"{VERSION}\.({KEY_ID.pattern})\.([A-Za-z0-9_-]{{91}})")


class Mc1Content(NamedTuple):
    """The content: two ids and two times (aware, whole seconds, 1970 to 2106), no personal data."""

    prescription_id: UUID
    code_id: UUID
    issued_at: datetime
    expires_at: datetime


def encode(content: Mc1Content, nonce: bytes, key_id: str, keys: QrKeyRing) -> str:
    """Returns the text of a stored code, at most 130 characters. Raises QrKeyRetired."""
    plaintext = _CONTENT.pack(
        content.prescription_id.bytes,
        content.code_id.bytes,
        _seconds(content.issued_at),
        _seconds(content.expires_at),
    )
    sealed = nonce + keys.ciphers(key_id).mc1.encrypt(nonce, plaintext, _associated_data(key_id))
    return f"{VERSION}.{key_id}.{base64url.encode(sealed)}"


def decode(text: str, keys: QrKeyRing) -> Mc1Content:
    """Decrypts a text. Raises QrCodeInvalid."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise QrCodeInvalid()
    key_id, body = match.groups()
    sealed = base64.urlsafe_b64decode(body + "=")
    if base64url.encode(sealed) != body:  # unused bits are set: another encoding of the same bytes
        raise QrCodeInvalid()
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plaintext = keys.ciphers(key_id).mc1.decrypt(nonce, ciphertext, _associated_data(key_id))
    except (QrKeyRetired, InvalidTag):
        raise QrCodeInvalid() from None
    prescription_id, code_id, issued, expires = _CONTENT.unpack(plaintext)
    return Mc1Content(
        prescription_id=UUID(bytes=prescription_id),
        code_id=UUID(bytes=code_id),
        issued_at=datetime.fromtimestamp(issued, UTC),
        expires_at=datetime.fromtimestamp(expires, UTC),
    )


def _associated_data(key_id: str) -> bytes:
    return f"{VERSION}|{key_id}|prescription-qr|medconnect".encode()


def _seconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a QR code's times carry a time zone")
    return int(moment.timestamp())
