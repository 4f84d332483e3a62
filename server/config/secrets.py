"""Secrets that a development instance keeps in files, and keys that are derived from a secret."""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES: Final = 32


def stored_secret(folder: Path, name: str) -> str:
    """Returns the secret of this name, generated on first use: 64 hexadecimal digits in a file private to its owner."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES))
    return path.read_text()


def derived_key(root: str, purpose: str) -> bytes:
    """Returns a 32-byte key for one purpose, derived by HKDF-SHA256 (RFC 5869; `info` binds the key to its purpose).

    Keys of different purposes reveal nothing about each other.
    """
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=f"medconnect {purpose}".encode()).derive(root.encode())
