"""Seals the secrets of authenticator apps for storage, with AES-256-GCM under a key outside the database."""

import secrets
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class SecretUnreadable(Exception):
    """A secret was changed, belongs to another factor, or is sealed under a key that the ring no longer holds."""


class FactorSeal:
    """Encrypts secrets under the first key, and decrypts them under any.

    keys: 32 bytes each, the current one first. They are derived from the key ring's roots.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = tuple(map(AESGCM, keys))

    def close(self, secret: bytes, factor_id: UUID) -> bytes:
        """Returns the sealed secret: nonce, ciphertext and tag. It opens for this factor only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret, factor_id.bytes)

    def open(self, sealed: bytes, factor_id: UUID) -> tuple[bytes, bool]:
        """Returns the secret, and whether it is sealed under a former key. Raises SecretUnreadable."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for position, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(nonce, ciphertext, factor_id.bytes), position > 0
            except InvalidTag:
                continue
        raise SecretUnreadable()
