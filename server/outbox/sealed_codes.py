"""Seals one-time codes for storage in the outbox, with AES-256-GCM under a key outside the database."""

import secrets
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class CodeSeal:
    """Encrypts codes for their recipients. key: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, code: str, recipient_id: UUID) -> bytes:
        """Returns the sealed code: nonce, ciphertext and tag. It opens for this recipient only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, code.encode(), recipient_id.bytes)

    def open(self, sealed: bytes, recipient_id: UUID) -> str:
        """Returns the code of a sealed one.

        Raises cryptography's InvalidTag when it was changed, or sealed for another recipient or under another key.
        """
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, ciphertext, recipient_id.bytes).decode()
