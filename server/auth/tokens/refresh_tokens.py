"""Refresh tokens: 256 bits as base64url, stored nowhere but as SHA-256.

The first token of a session is random. Each successor is an HMAC of its predecessor under a server key, so that the
answer to a repeated refresh (the first reply was lost) can be given again without storing a token. Source: RFC 9700
section 4.14 (rotation).
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

TOKEN_BYTES: Final = 32

_PURPOSE: Final = b"successor "


def new_refresh_token() -> str:
    """The first token of a session, 43 characters."""
    return _text(secrets.token_bytes(TOKEN_BYTES))


def successor(token: str, key: bytes) -> str:
    """The one token that follows this one; who holds neither the key nor this token cannot tell it from random."""
    return _text(hmac.digest(key, _PURPOSE + token.encode(), "sha256"))


def stored_hash(token: str) -> bytes:
    """What is stored of a token. No salt: 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
