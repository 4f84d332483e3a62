"""The text inside a prescription's QR code: encrypted, authenticated, short, and free of personal data.

Format: ``MC1.<key id>.<base64url without padding>``. The last part is nonce (12 bytes), AES-256-GCM
ciphertext (40) and tag (16). Version, key id, purpose and issuer are associated data, so a text that was made for
another purpose cannot be decrypted. A text depends only on its content, nonce and key: the content, the nonce and the
key id are stored with the code, and the text is rebuilt from them.

Sources: docs/domain.md (formats); OWASP ASVS 11.2 and 11.3 (one authenticated cipher, one error for all
damage).
"""

import base64
import hashlib
import re
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import base64url
from server.config.secrets import derived_key
from server.errors import QrCodeInvalid
from server.plain_text import without_unseen

VERSION: Final = "MC1"
MAX_TEXT_LENGTH: Final = 130
NONCE_BYTES: Final = 12
MIN_SECRET_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
"""The length of the key id that is derived from a single secret."""

_CIPHER_PURPOSE: Final = "prescription-qr aes-256-gcm"
_KEY_ID_PURPOSE: Final = "prescription-qr key id"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
_CONTENT: Final = struct.Struct(">16s16sII")
_TEXT: Final = re.compile(rf"{VERSION}\.({_KEY_ID.pattern})\.([A-Za-z0-9_-]{{91}})")


class QrKeyRetired(LookupError):
    """The key of a stored code is no longer in the ring, so its text cannot be rebuilt; issue a new code."""


@dataclass(frozen=True, slots=True)
class QrContent:
    """The content of a QR code: two ids and two times (aware, whole seconds, 1970 to 2106), no personal data."""

    prescription_id: UUID
    code_id: UUID
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class QrKeyRing:
    """The keys that decrypt QR codes; the first one encrypts new codes. Its repr contains no key material."""

    _ciphers: Mapping[str, AESGCM] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses the setting: one secret of 32 bytes or more, or a ring ``kid:secret,kid:secret``.

        The first key of a ring encrypts. A secret contains no comma, a single secret no colon either; the key id of a
        single secret is derived from it. Raises ValueError, which names the entry by its position, never by its text.
        """
        entries = _entries(text)
        if len(entries) == 1 and ":" not in text:
            secret = _checked_secret(text.strip(), "the QR key")
            return cls({derived_key(secret, _KEY_ID_PURPOSE)[:KEY_ID_BYTES].hex(): _cipher(secret)})
        ciphers: dict[str, AESGCM] = {}
        for position, (key_id, colon, secret_text) in enumerate(entries, start=1):
            name = f"entry {position} of the QR key ring"
            if not colon or not _KEY_ID.fullmatch(key_id):
                raise ValueError(f"{name} is not kid:secret with a kid of 1 to 16 letters, digits, '-' or '_'")
            if key_id in ciphers:
                raise ValueError(f"{name} repeats the kid of an earlier entry")
            ciphers[key_id] = _cipher(_checked_secret(secret_text, name))
        return cls(ciphers)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All key ids; the first one encrypts new codes."""
        return tuple(self._ciphers)

    def cipher(self, key_id: str) -> AESGCM:
        """Returns the cipher of a key. Raises QrKeyRetired if the key is not in the ring."""
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise QrKeyRetired(f"QR key {key_id} is not in the ring") from None


def secrets_of(text: str) -> list[str]:
    """Returns the secrets in the setting that `QrKeyRing.parse` reads, in the same order."""
    return [secret if colon else lone for lone, colon, secret in _entries(text)]


def new_nonce() -> bytes:
    """Returns 12 random bytes, generated once per issued code and stored with it.

    The same nonce must never encrypt two different contents under one key: that would break AES-GCM.
    """
    return secrets.token_bytes(NONCE_BYTES)


def encode(content: QrContent, nonce: bytes, key_id: str | None, keys: QrKeyRing) -> str:
    """Returns the QR text (at most 130 characters) of this content; the same arguments always give the same text.

    key_id: the stored key id of an issued code, or None for a new one, which uses the first key,
    ``keys.key_ids[0]``; the caller stores that id. Raises QrKeyRetired if the key is no longer in the ring.
    """
    key_id = key_id or keys.key_ids[0]
    plaintext = _CONTENT.pack(
        content.prescription_id.bytes,
        content.code_id.bytes,
        _seconds(content.issued_at),
        _seconds(content.expires_at),
    )
    sealed = nonce + keys.cipher(key_id).encrypt(nonce, plaintext, _associated_data(key_id))
    return f"{VERSION}.{key_id}.{base64url.encode(sealed)}"


def decode(text: str, keys: QrKeyRing) -> QrContent:
    """Decrypts a scanned text, without surrounding white space (a scanner's line end) and invisible characters.

    Raises QrCodeInvalid, the same for every kind of damage, forgery or foreign text. Does not check the expiry:
    the stored code is authoritative.
    """
    match = _TEXT.fullmatch(without_unseen(text).strip())
    if match is None:
        raise QrCodeInvalid()
    key_id, body = match.groups()
    sealed = base64.urlsafe_b64decode(body + "=")
    if base64url.encode(sealed) != body:  # unused bits are set: another encoding of the same bytes
        raise QrCodeInvalid()
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        plaintext = keys.cipher(key_id).decrypt(nonce, ciphertext, _associated_data(key_id))
    except (QrKeyRetired, InvalidTag):
        raise QrCodeInvalid() from None
    prescription_id, code_id, issued, expires = _CONTENT.unpack(plaintext)
    return QrContent(
        prescription_id=UUID(bytes=prescription_id),
        code_id=UUID(bytes=code_id),
        issued_at=datetime.fromtimestamp(issued, UTC),
        expires_at=datetime.fromtimestamp(expires, UTC),
    )


def fingerprint(text: str) -> str:
    """Returns the qrHash: the first 32 hex digits of SHA-256 of the QR text. It names a code and decrypts nothing."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:32]


def _entries(text: str) -> list[tuple[str, str, str]]:
    return [entry.strip().partition(":") for entry in text.split(",")]


def _checked_secret(text: str, name: str) -> str:
    length = len(text.encode())
    if length < MIN_SECRET_BYTES:
        raise ValueError(f"{name} needs a secret of at least {MIN_SECRET_BYTES} bytes, this one has {length}")
    return text


def _cipher(secret: str) -> AESGCM:
    return AESGCM(derived_key(secret, _CIPHER_PURPOSE))


def _associated_data(key_id: str) -> bytes:
    return f"{VERSION}|{key_id}|prescription-qr|medconnect".encode()


def _seconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a QR code's times carry a time zone")
    return int(moment.timestamp())
