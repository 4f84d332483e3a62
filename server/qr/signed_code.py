"""The text inside a prescription's QR code: encrypted, authenticated, short, and free of personal data.

Format: ``RX`` and 120 letters, each four bits: nonce (12 bytes), AES-256-GCM ciphertext (32) and tag (16). Format, key
id, purpose and issuer are associated data, so a text that was made for another purpose cannot be decrypted. A text
depends only on its content, nonce and key: the content, the nonce and the key id are stored with the code, and the text
is rebuilt from them.

A hand-held scanner types the text, so it consists of letters that American, French, German, Spanish, Italian and
Nordic keyboards have at the same place; Caps Lock does not matter. A QR code stores capitals in 5.5 bits instead of 8.

Sources: docs/domain.md (formats); OWASP ASVS 11.2 and 11.3 (one authenticated cipher, one error for all
damage); ISO/IEC 15424 (the symbology identifier that a scanner may send first, such as ``]Q1``).
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from server.errors import QrCodeInvalid
from server.plain_text import without_unseen
from server.qr import mc1
from server.qr.key_ring import QrKeyRing
from server.typed_number import compact

PREFIX: Final = "RX"
LETTERS: Final = "BCDEFGHJKLNPRTVX"
"""The sixteen digits of a text. A, M, Q, W, Y and Z change their places between keyboards; I and O look like digits."""
MAX_TEXT_LENGTH: Final = 130
NONCE_BYTES: Final = 12

_ID_BYTES: Final = 16
_TAG_BYTES: Final = 16
_BODY: Final = 2 * (NONCE_BYTES + 2 * _ID_BYTES + _TAG_BYTES)
_SYMBOLOGY: Final = "(?:[QA].)?"
"""``]Q1`` without the bracket; a French layout makes it ``A&``."""
_AROUND: Final = "[^0-9A-Z]{0,2}"
"""Brackets and quotes, which a wrong layout turns into other signs or letters with marks."""
_TEXT: Final = re.compile(rf"{_AROUND}{_SYMBOLOGY}{PREFIX}([{LETTERS}]{{{_BODY}}}){_AROUND}")
_TO_LETTERS: Final = str.maketrans("0123456789abcdef", LETTERS)
_FROM_LETTERS: Final = str.maketrans(LETTERS, "0123456789abcdef")
_BEFORE_MC1: Final = re.compile(r"\A[^\w\s][QA].(?=MC1\.)")
_AROUND_MC1: Final = " \t\r\n\x04\x1d\"'\u201c\u201d\u00ab\u00bb"


@dataclass(frozen=True, slots=True)
class QrContent:
    """The content of a QR code: two ids, no personal data."""

    prescription_id: UUID
    code_id: UUID


def new_nonce() -> bytes:
    """Returns 12 random bytes, generated once per issued code and stored with it.

    The same nonce must never encrypt two different contents under one key: that would break AES-GCM.
    """
    return secrets.token_bytes(NONCE_BYTES)


def encode(content: QrContent, nonce: bytes, key_id: str, keys: QrKeyRing) -> str:
    """Returns the QR text (122 letters) of this content; the same arguments always give the same text.

    key_id: the stored key id of an issued code; a new code uses ``keys.key_ids[0]``. Raises QrKeyRetired if the key is
    no longer in the ring.
    """
    plaintext = content.prescription_id.bytes + content.code_id.bytes
    sealed = nonce + keys.ciphers(key_id).letters.encrypt(nonce, plaintext, _associated_data(key_id))
    return PREFIX + sealed.hex().translate(_TO_LETTERS)


def decode(text: str, keys: QrKeyRing) -> QrContent:
    """Decrypts a scanned text, of the first format too.

    Drops what scanners and keyboards add around it: white space, line ends, quotes, a symbology identifier, invisible
    characters. Raises QrCodeInvalid, the same for every kind of damage, forgery or foreign text. Does not check the
    expiry: the stored code is authoritative.
    """
    match = _TEXT.fullmatch(compact(text).upper())
    if match is None:
        old = mc1.decode(_BEFORE_MC1.sub("", without_unseen(text).strip(_AROUND_MC1)), keys)
        return QrContent(old.prescription_id, old.code_id)
    plaintext = _decrypted(bytes.fromhex(match[1].translate(_FROM_LETTERS)), keys)
    return QrContent(UUID(bytes=plaintext[:_ID_BYTES]), UUID(bytes=plaintext[_ID_BYTES:]))


def fingerprint(text: str) -> str:
    """Returns the qrHash: the first 32 hex digits of SHA-256 of the QR text. It names a code and decrypts nothing."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:32]


def _decrypted(sealed: bytes, keys: QrKeyRing) -> bytes:
    """Returns the plaintext; a text does not name its key, so each key of the ring is tried."""
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    for key_id in keys.key_ids:
        try:
            return keys.ciphers(key_id).letters.decrypt(nonce, ciphertext, _associated_data(key_id))
        except InvalidTag:
            continue
    raise QrCodeInvalid() from None


def _associated_data(key_id: str) -> bytes:
    return f"{PREFIX}|{key_id}|prescription-qr|medconnect".encode()
