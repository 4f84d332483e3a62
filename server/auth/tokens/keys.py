"""The keys that sign access tokens, and their rotation, which signs no user out.

A key is published as `next` before it signs, signs while it is `active`, only verifies (`verify-only`) until the last
token that it signed has expired, and then is `retired`; an operator can retire it at once. The ring also contains the
root secret, from which `server.config.secrets.derived_key` derives the keys of every other purpose.

Source: RFC 8037 (Ed25519 in JOSE).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server import base64url
from server.config.secrets import derived_key

MAX_LIFETIME: Final = timedelta(hours=1)
"""The maximum lifetime of an access token, regardless of the setting."""
LEEWAY: Final = timedelta(seconds=30)
"""The tolerated difference between clocks."""
SETTLING: Final = timedelta(seconds=10)
"""The maximum time until a change of the ring reaches every process; a new key is published this long before use."""

_SIGNING_PURPOSE: Final = "access-token ed25519"
_KEY_ID_BYTES: Final = 8
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


class KeyState(StrEnum):
    """The state of a key in its life cycle."""

    NEXT = "next"
    ACTIVE = "active"
    VERIFY_ONLY = "verify-only"
    RETIRED = "retired"


class KeyNotUsable(ValueError):
    """The requested operation is not possible with this key; the text gives the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A key of the ring."""

    key_id: str
    """The token's `kid`: base64url of the first 8 bytes of SHA-256 of the public key."""
    public: Ed25519PublicKey = field(repr=False)
    private: Ed25519PrivateKey | None = field(repr=False)
    """None once it no longer signs."""
    state: KeyState
    changed_at: datetime
    """The time when the key entered its current state."""
    verifies_until: datetime | None = None
    """The time when the last token of a verify-only key expires."""

    @classmethod
    def new(cls, private: Ed25519PrivateKey, state: KeyState, now: datetime) -> Self:
        """Returns a key that signs, now or later."""
        public = private.public_key()
        digest = hashlib.sha256(public.public_bytes_raw()).digest()
        return cls(base64url.encode(digest[:_KEY_ID_BYTES]), public, private, state, now)

    def signer(self) -> Ed25519PrivateKey:
        """Returns the private key. Raises KeyNotUsable if the key no longer signs."""
        if self.private is None:
            raise KeyNotUsable("this key no longer signs")
        return self.private

    def verifies(self, now: datetime) -> bool:
        """Returns whether tokens of this key are accepted."""
        over = self.verifies_until is not None and now >= self.verifies_until
        return self.state is not KeyState.RETIRED and not over

    def published(self) -> "PublishedKey":
        """Returns the public key."""
        return PublishedKey(self.key_id, base64url.encode(self.public.public_bytes_raw()))

    def activated(self, now: datetime) -> Self:
        """Returns the key as active: it signs from now on."""
        return replace(self, state=KeyState.ACTIVE, changed_at=now)

    def relieved(self, now: datetime) -> Self:
        """Returns the key as verify-only: it no longer signs."""
        until = now + SETTLING + MAX_LIFETIME + LEEWAY  # a process may sign with it until it has read the file
        return replace(self, state=KeyState.VERIFY_ONLY, private=None, changed_at=now, verifies_until=until)

    def retired(self, now: datetime) -> Self:
        """Returns the key as retired: its tokens are no longer accepted."""
        return replace(self, state=KeyState.RETIRED, private=None, changed_at=now, verifies_until=None)


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public part of a signing key."""

    key_id: str
    x: str
    """The public key, base64url without padding (RFC 8037)."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """All keys, the newest first: one is active, and one is next unless the ring was derived from a secret."""

    root: str = field(repr=False)
    """The secret from which every other key is derived."""
    keys: tuple[SigningKey, ...]
    former_roots: tuple[str, ...] = field(default=(), repr=False)
    """The former roots: page tokens that were made with their keys stay valid."""

    @classmethod
    def derived(cls, root: str, *former: str) -> Self:
        """Returns a ring whose active key is derived from a secret; the same secret always gives the same key.

        former: previous secrets, whose keys still verify while they are given.
        """
        active = SigningKey.new(_derived_private(root), KeyState.ACTIVE, _ALWAYS)
        before = (SigningKey.new(_derived_private(secret), KeyState.VERIFY_ONLY, _ALWAYS) for secret in former)
        return cls(root, (active, *(replace(key, private=None) for key in before)), former)

    @classmethod
    def new(cls, root: str, now: datetime) -> Self:
        """Returns a ring for a file: the key derived from the secret is active, so its tokens stay valid."""
        active = SigningKey.new(_derived_private(root), KeyState.ACTIVE, now)
        return cls(root, (_random(now), active))

    @property
    def active(self) -> SigningKey:
        """The active key, which signs."""
        return self._only(KeyState.ACTIVE)

    def accepted(self, now: datetime) -> tuple[SigningKey, ...]:
        """Returns the keys whose tokens are accepted: next, active, and verify-only until its last token expires."""
        return tuple(key for key in self.keys if key.verifies(now))

    def rotated(self, now: datetime) -> Self:
        """Returns the rotated ring: the next key signs, a new one is next, and the former one only verifies.

        Raises KeyNotUsable if there is no next key, or if it is so new that a process may not have read it yet.
        """
        following = self._only(KeyState.NEXT)
        if now - following.changed_at < SETTLING:
            seconds = int(SETTLING.total_seconds())
            raise KeyNotUsable(f"the next key is younger than {seconds} s: a process may not know it yet")
        return replace(self, keys=(_random(now), *self._moved_on(now)))

    def with_root(self, root: str) -> Self:
        """Returns the ring with another root and the same signing keys; only the last former root is kept."""
        return replace(self, root=root, former_roots=(self.root,))

    def without(self, key_id: str, now: datetime) -> Self:
        """Returns the ring with a key retired; a retired next key is replaced by a new one. Raises KeyNotUsable."""
        key = next((key for key in self.keys if key.key_id == key_id), None)
        if key is None or key.state is KeyState.RETIRED:
            raise KeyNotUsable("there is no such key")
        if key.state is KeyState.ACTIVE:
            raise KeyNotUsable("this key signs: rotate first")
        kept = tuple(key.retired(now) if other is key else other for other in self.keys)
        return replace(self, keys=(_random(now), *kept) if key.state is KeyState.NEXT else kept)

    def _moved_on(self, now: datetime) -> Iterator[SigningKey]:
        for key in self.keys:
            if key.state is KeyState.NEXT:
                yield key.activated(now)
            elif key.state is KeyState.ACTIVE:
                yield key.relieved(now)
            elif key.state is KeyState.VERIFY_ONLY and not key.verifies(now):
                yield key.retired(now)
            else:
                yield key

    def _only(self, state: KeyState) -> SigningKey:
        found = [key for key in self.keys if key.state is state]
        if len(found) != 1:
            raise KeyNotUsable(f"the ring has {len(found)} keys that are {state}, it needs one")
        return found[0]


def _random(now: datetime) -> SigningKey:
    return SigningKey.new(Ed25519PrivateKey.generate(), KeyState.NEXT, now)


def _derived_private(root: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derived_key(root, _SIGNING_PURPOSE))
