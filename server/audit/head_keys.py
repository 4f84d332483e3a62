"""The key that signs the chain's heads, and the public keys of all keys that ever signed.

    home/audit/head_key         the private key, created at the first start, readable only by its owner
    home/audit/head_keys.pub    append-only: id, public key and start time of each key that has signed here

The key is derived from no other secret, so rotating those does not affect it. Heads stay verifiable by the public keys,
also after the head key itself was replaced. Keep a copy of the public file with the heads.
"""

import os
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server import base64url
from server.audit.hash_chain import HeadKey, key_id
from server.config.secrets import SECRET_BYTES, stored_secret

FOLDER: Final = "audit"
_PRIVATE: Final = "head_key"
_PUBLIC: Final = "head_keys.pub"


class HeadKeysWrong(ValueError):
    """A file of public keys is invalid; the message names the line."""


def public_file(home: Path) -> Path:
    """Returns the path of the file that holds the public keys of an instance's heads."""
    return home / FOLDER / _PUBLIC


def current_key(home: Path, now: datetime) -> HeadKey:
    """Returns the signing key; creates and publishes it if it does not exist."""
    key = HeadKey(bytes.fromhex(stored_secret(home / FOLDER, _PRIVATE)))
    publish(home, key, now)
    return key


def replace_key(home: Path, now: datetime) -> HeadKey:
    """Creates a new signing key, used from the next start; heads of the former key stay verifiable."""
    current_key(home, now)
    staged = home / FOLDER / f"{_PRIVATE}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    staged.replace(home / FOLDER / _PRIVATE)
    return current_key(home, now)


def publish(home: Path, key: HeadKey, since: datetime) -> None:
    """Appends a key's public half to the file of public keys, unless it is there already."""
    path = public_file(home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and key.key_id in read_public(path):
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), "w") as file:
        file.write(f"{key.key_id} {base64url.encode(key.public.public_bytes_raw())} {since:%Y-%m-%dT%H:%M:%SZ}\n")
        file.flush()
        os.fsync(file.fileno())


def read_public(path: Path) -> Mapping[str, Ed25519PublicKey]:
    """Returns the keys of a file of public keys by id. Raises HeadKeysWrong, and OSError when it cannot be read."""
    return dict(_keys(path))


def _keys(path: Path) -> Iterator[tuple[str, Ed25519PublicKey]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            kid, text, *_ = line.split()
            public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(text + "=="))
        except ValueError:
            raise HeadKeysWrong(f"{path}, line {number}: not a public key") from None
        if kid != key_id(public):
            raise HeadKeysWrong(f"{path}, line {number}: the id does not match the key")
        yield kid, public
