"""The keys that encrypt the texts of QR codes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.config.secrets import derived_key

MIN_SECRET_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
"""The length of the key id that is derived from a single secret."""
KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")

_PURPOSE: Final = "prescription-qr aes-256-gcm letters"
_MC1_PURPOSE: Final = "prescription-qr aes-256-gcm"
_KEY_ID_PURPOSE: Final = "prescription-qr key id"


class QrKeyRetired(LookupError):
    """The key of a stored code is no longer in the ring, so its text cannot be rebuilt; issue a new code."""


class Ciphers(NamedTuple):
    """The ciphers of one key: each format has its own, so that a nonce never encrypts two contents under one key."""

    letters: AESGCM
    mc1: AESGCM


@dataclass(frozen=True, slots=True, eq=False)
class QrKeyRing:
    """The keys that decrypt QR codes; the first one encrypts new codes. Its repr contains no key material."""

    _ciphers: Mapping[str, Ciphers] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses the setting: one secret of 32 bytes or more, or a ring ``kid:secret,kid:secret``.

        The first key of a ring encrypts. A secret contains no comma, a single secret no colon either; the key id of a
        single secret is derived from it. Raises ValueError, which names the entry by its position, never by its text.
        """
        entries = _entries(text)
        if len(entries) == 1 and ":" not in text:
            secret = _checked_secret(text.strip(), "the QR key")
            return cls({derived_key(secret, _KEY_ID_PURPOSE)[:KEY_ID_BYTES].hex(): _ciphers_of(secret)})
        ciphers: dict[str, Ciphers] = {}
        for position, (key_id, colon, secret_text) in enumerate(entries, start=1):
            name = f"entry {position} of the QR key ring"
            if not colon or not KEY_ID.fullmatch(key_id):
                raise ValueError(f"{name} is not kid:secret with a kid of 1 to 16 letters, digits, '-' or '_'")
            if key_id in ciphers:
                raise ValueError(f"{name} repeats the kid of an earlier entry")
            ciphers[key_id] = _ciphers_of(_checked_secret(secret_text, name))
        return cls(ciphers)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All key ids; the first one encrypts new codes."""
        return tuple(self._ciphers)

    def ciphers(self, key_id: str) -> Ciphers:
        """Returns the ciphers of a key. Raises QrKeyRetired if the key is not in the ring."""
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise QrKeyRetired(f"QR key {key_id} is not in the ring") from None


def secrets_of(text: str) -> list[str]:
    """Returns the secrets in the setting that `QrKeyRing.parse` reads, in the same order."""
    return [secret if colon else lone for lone, colon, secret in _entries(text)]


def _entries(text: str) -> list[tuple[str, str, str]]:
    return [entry.strip().partition(":") for entry in text.split(",")]


def _checked_secret(text: str, name: str) -> str:
    length = len(text.encode())
    if length < MIN_SECRET_BYTES:
        raise ValueError(f"{name} needs a secret of at least {MIN_SECRET_BYTES} bytes, this one has {length}")
    return text


def _ciphers_of(secret: str) -> Ciphers:
    return Ciphers(AESGCM(derived_key(secret, _PURPOSE)), AESGCM(derived_key(secret, _MC1_PURPOSE)))
