"""Access tokens: JWTs signed with Ed25519 that identify the caller for some minutes and contain no personal data.

Sources: docs/domain.md (formats); RFC 8725 (JWT best practice); RFC 9068 (`typ: at+jwt`). PyJWT signs and checks
signatures; this module rejects what PyJWT accepts (padding, headers that are never issued, claims of other types).
"""

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from server import base64url
from server.auth.entities import User
from server.auth.tokens.keys import LEEWAY, MAX_LIFETIME, KeyRing, PublishedKey, SigningKey
from server.clock import Clock
from server.db.identifiers import new_id
from server.errors import Unauthenticated
from server.identity import Caller, Role

ALGORITHM: Final = "EdDSA"
TYPE: Final = "at+jwt"
ISSUER: Final = "medconnect"
AUDIENCE: Final = "medconnect-api"
LEEWAY_SECONDS: Final = int(LEEWAY.total_seconds())
MAX_LIFETIME_SECONDS: Final = int(MAX_LIFETIME.total_seconds())
REMEMBERED_TOKENS: Final = 4096
"""The number of verified tokens that a process caches: a check costs 150 µs, an entry about 1 KiB."""

_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{1,200})\.[A-Za-z0-9_-]{1,1000}\.[A-Za-z0-9_-]{86}")
_signatures: Final = jwt.PyJWS(algorithms=[ALGORITHM])


class _Claims(BaseModel):
    """The claims of a token; exactly these, of exactly these types, and only `org` may be absent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    iss: Literal["medconnect"]
    aud: Literal["medconnect-api"]
    sub: UUID
    role: Role
    sid: UUID
    org: UUID | None = None
    """The organisation for which the session acts; absent if there is none."""
    jti: UUID
    iat: int
    nbf: int
    exp: int


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    begins: int
    """Unix seconds."""
    ends: int
    """Unix seconds."""


class AccessTokens:
    """Issues access tokens with the ring's active key, and verifies those of every key that the ring accepts."""

    def __init__(self, ring: KeyRing, clock: Clock, lifetime: timedelta) -> None:
        self._clock = clock
        self._lifetime = int(lifetime.total_seconds())
        self._remembered: OrderedDict[str, _Verified] = OrderedDict()
        self.use(ring)

    def use(self, ring: KeyRing) -> None:
        """Switches to this ring, and clears the cache of tokens that were verified with the former one."""
        self._ring = ring
        self._active = ring.active
        self._keys = {_header(key): key for key in ring.keys}
        self._remembered.clear()

    def published_keys(self) -> tuple[PublishedKey, ...]:
        """Returns the public keys with which other services can verify these tokens."""
        return tuple(key.published() for key in self._ring.accepted(self._clock.now()))

    def issue(
        self, user: User, session_id: UUID, session_ends: datetime, organisation_id: UUID | None = None
    ) -> tuple[str, datetime]:
        """Returns a new token for a session of this account, and its expiry, which is never after the session's end.

        organisation_id: the organisation for which the session acts.
        """
        now = int(self._clock.now().timestamp())
        ends = min(now + self._lifetime, int(session_ends.timestamp()))
        claims: dict[str, str | int] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user.id),
            "role": user.role.value,
            "sid": str(session_id),
            "jti": str(new_id()),
            "iat": now,
            "nbf": now,
            "exp": ends,
        }
        if organisation_id is not None:
            claims["org"] = str(organisation_id)
        return self._sign(claims), datetime.fromtimestamp(ends, UTC)

    def verify(self, token: str) -> Caller:
        """Returns the caller of this token. Raises Unauthenticated, the same for every damage, forgery and expiry.

        Does not check whether the session was revoked: `RevocationCache` does.
        """
        verified = self._remembered.get(token)
        if verified is None:
            verified = self._read(token)
        now = self._clock.now().timestamp()
        if not verified.begins - LEEWAY_SECONDS <= now < verified.ends + LEEWAY_SECONDS:
            self._remembered.pop(token, None)
            raise Unauthenticated()
        self._remember(token, verified)
        return verified.caller

    def _read(self, token: str) -> _Verified:
        """Checks everything except the time."""
        match = _TOKEN.fullmatch(token)
        # The header is compared, not parsed: the key's record decides the algorithm and type, never the token.
        key = self._keys.get(match[1]) if match else None
        if key is None or not key.verifies(self._clock.now()):
            raise Unauthenticated()
        try:
            claims = _Claims.model_validate_json(_signatures.decode(token, key.public, algorithms=[ALGORITHM]))
        except (jwt.InvalidTokenError, ValidationError):
            raise Unauthenticated() from None
        if not 0 < claims.exp - claims.iat <= MAX_LIFETIME_SECONDS:
            raise Unauthenticated()
        ends = claims.exp
        if key.verifies_until is not None:  # a key that no longer signs has signed no token that lives longer
            ends = min(ends, int(key.verifies_until.timestamp()) - LEEWAY_SECONDS)
        return _Verified(Caller(claims.sub, claims.role, claims.sid, claims.org), max(claims.iat, claims.nbf), ends)

    def _remember(self, token: str, verified: _Verified) -> None:
        self._remembered[token] = verified
        self._remembered.move_to_end(token)
        if len(self._remembered) > REMEMBERED_TOKENS:
            self._remembered.popitem(last=False)

    def _sign(self, claims: dict[str, str | int]) -> str:
        headers = {"kid": self._active.key_id, "typ": TYPE}
        return jwt.encode(claims, self._active.signer(), algorithm=ALGORITHM, headers=headers)


def _header(key: SigningKey) -> str:
    """Returns the first part of every token of this key, as PyJWT writes it."""
    header = {"alg": ALGORITHM, "kid": key.key_id, "typ": TYPE}
    return base64url.encode(json.dumps(header, separators=(",", ":"), sort_keys=True).encode())
