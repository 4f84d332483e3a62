"""Refresh tokens: unguessable, and each followed by one other."""

import base64
import hashlib

from server.auth.refresh_tokens import new_refresh_token, stored_hash, successor

KEY = b"a key for tests that has 32 byte"


def test_a_token_has_256_bits_and_none_comes_twice() -> None:
    tokens = {new_refresh_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}


def test_a_successor_has_256_bits_and_depends_on_token_and_key() -> None:
    token = new_refresh_token()
    assert len(base64.urlsafe_b64decode(successor(token, KEY) + "=")) == 32
    assert successor(token, KEY) == successor(token, KEY)
    assert successor(token, KEY) != successor(token, b"another key, likewise of 32 byte")
    assert successor(token, KEY) != successor(new_refresh_token(), KEY)
    assert successor(token, KEY) != token


def test_what_is_stored_is_sha_256() -> None:
    assert stored_hash("token") == hashlib.sha256(b"token").digest()
