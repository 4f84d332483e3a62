"""Refresh tokens: 256 bits as base64url, stored only as SHA-256.

The first token of a session is random. Each successor is an HMAC of its predecessor with a server key, so that the
response to a repeated refresh (the first response was lost) can be computed again without storing a token. Source:
RFC 9700 section 4.14 (rotation).
"""

import hashlib
import hmac
import secrets
from typing import Final

from server import base64url

TOKEN_BYTES: Final = 32

_PURPOSE: Final = b"successor "


def new_refresh_token() -> str:
    """Returns the first token of a session, 43 characters."""
    return base64url.encode(secrets.token_bytes(TOKEN_BYTES))


def successor(token: str, key: bytes) -> str:
    """Returns the successor of a token; without the key and the token it is indistinguishable from random."""
    return base64url.encode(hmac.digest(key, _PURPOSE + token.encode(), "sha256"))


def stored_hash(token: str) -> bytes:
    """Returns the hash to store for a token. It needs no salt: 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()
