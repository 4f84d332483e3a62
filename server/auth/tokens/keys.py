"""The keys that sign access tokens: one after the other, so that a change of keys logs nobody out.

A key is published as `next` before it signs, signs while it is `active`, only verifies (`verify-only`) until the last
token that it signed is over, and is `retired` then, or at once by an operator's word. The ring also holds the root
secret, from which `secret_files.derived_key` makes the keys of every other purpose.

Source: RFC 8037 (Ed25519 in JOSE).
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.config.secrets import derived_key

MAX_LIFETIME: Final = timedelta(hours=1)
"""No access token lives longer, whatever the setting."""
LEEWAY: Final = timedelta(seconds=30)
"""For wrong clocks."""
SETTLING: Final = timedelta(seconds=10)
"""How long a change of the ring may take to reach every process; a new key is published so long before it signs."""

_SIGNING_PURPOSE: Final = "access-token ed25519"
_KEY_ID_BYTES: Final = 8
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


class KeyState(StrEnum):
    """Where a key is on its way."""

    NEXT = "next"
    ACTIVE = "active"
    VERIFY_ONLY = "verify-only"
    RETIRED = "retired"


class KeyNotUsable(ValueError):
    """What was asked cannot be done with this key; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """One key of the ring."""

    key_id: str
    """The token's `kid`: base64url of the first 8 bytes of SHA-256 of the public key."""
    public: Ed25519PublicKey = field(repr=False)
    private: Ed25519PrivateKey | None = field(repr=False)
    """None once it no longer signs."""
    state: KeyState
    changed_at: datetime
    """When it came into its state."""
    verifies_until: datetime | None = None
    """Of a verify-only key: when its last token is over."""

    @classmethod
    def new(cls, private: Ed25519PrivateKey, state: KeyState, now: datetime) -> Self:
        """A key that signs, now or later."""
        public = private.public_key()
        digest = hashlib.sha256(public.public_bytes_raw()).digest()
        return cls(base64url(digest[:_KEY_ID_BYTES]), public, private, state, now)

    def signer(self) -> Ed25519PrivateKey:
        """Its private part. Raises KeyNotUsable once it no longer signs."""
        if self.private is None:
            raise KeyNotUsable("this key signs no more")
        return self.private

    def verifies(self, now: datetime) -> bool:
        """Whether its tokens are accepted."""
        over = self.verifies_until is not None and now >= self.verifies_until
        return self.state is not KeyState.RETIRED and not over

    def published(self) -> "PublishedKey":
        """The public half."""
        return PublishedKey(self.key_id, base64url(self.public.public_bytes_raw()))

    def activated(self, now: datetime) -> Self:
        """It signs from now on."""
        return replace(self, state=KeyState.ACTIVE, changed_at=now)

    def relieved(self, now: datetime) -> Self:
        """It has signed for the last time."""
        until = now + SETTLING + MAX_LIFETIME + LEEWAY  # a process may sign with it until it has read the file
        return replace(self, state=KeyState.VERIFY_ONLY, private=None, changed_at=now, verifies_until=until)

    def retired(self, now: datetime) -> Self:
        """Nothing that it signed is accepted any more."""
        return replace(self, state=KeyState.RETIRED, private=None, changed_at=now, verifies_until=None)


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """What anybody may know of a signing key."""

    key_id: str
    x: str
    """The public key, base64url without padding (RFC 8037)."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """All keys, the newest first: one of them active, and one next unless the ring was derived from a secret."""

    root: str = field(repr=False)
    """The secret from which every other key is derived."""
    keys: tuple[SigningKey, ...]
    former_roots: tuple[str, ...] = field(default=(), repr=False)
    """The roots of before: page tokens that were made with their keys stay good."""

    @classmethod
    def derived(cls, root: str, *former: str) -> Self:
        """The ring of one active key that a secret stands for; the same secret always gives the same key.

        former: secrets of before, whose keys verify on as long as they are given.
        """
        active = SigningKey.new(_derived_private(root), KeyState.ACTIVE, _ALWAYS)
        before = (SigningKey.new(_derived_private(secret), KeyState.VERIFY_ONLY, _ALWAYS) for secret in former)
        return cls(root, (active, *(replace(key, private=None) for key in before)), former)

    @classmethod
    def new(cls, root: str, now: datetime) -> Self:
        """A ring for a file: the key that the secret stood for is active, so its tokens stay good; another is next."""
        active = SigningKey.new(_derived_private(root), KeyState.ACTIVE, now)
        return cls(root, (_random(now), active))

    @property
    def active(self) -> SigningKey:
        """The key that signs."""
        return self._only(KeyState.ACTIVE)

    def accepted(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys whose tokens are accepted: next, active, and verify-only whose last token is not over."""
        return tuple(key for key in self.keys if key.verifies(now))

    def rotated(self, now: datetime) -> Self:
        """The next key signs, a new one is next, the former one verifies on.

        Raises KeyNotUsable when there is no next key, or it is so new that not every process may know it.
        """
        following = self._only(KeyState.NEXT)
        if now - following.changed_at < SETTLING:
            seconds = int(SETTLING.total_seconds())
            raise KeyNotUsable(f"the next key is younger than {seconds} s: a process may not know it yet")
        return replace(self, keys=(_random(now), *self._moved_on(now)))

    def with_root(self, root: str) -> Self:
        """Returns the ring with another root; of the former ones the last is kept. The signing keys stay."""
        return replace(self, root=root, former_roots=(self.root,))

    def without(self, key_id: str, now: datetime) -> Self:
        """The ring after that key's retirement; a new next key follows a next one. Raises KeyNotUsable."""
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


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _random(now: datetime) -> SigningKey:
    return SigningKey.new(Ed25519PrivateKey.generate(), KeyState.NEXT, now)


def _derived_private(root: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derived_key(root, _SIGNING_PURPOSE))
