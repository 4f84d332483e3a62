"""Tokens in a file that only its owner reads, shared by all programs of that account."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from medconnect_client import Tokens

OWNER_ONLY: Final = 0o600
OTHERS: Final = 0o077
LOCK_SECONDS: Final = 0.05


class TokenFileExposed(Exception):
    """Others can read the file: whoever did may act as its owner."""


class TokenFile:
    """A store of tokens (POSIX); the file is replaced as a whole, so that no reader sees half of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Tokens | None:
        """The tokens in the file; None if there is none, or none that can be understood. Raises TokenFileExposed."""
        try:
            with self._path.open() as file:
                if os.fstat(file.fileno()).st_mode & OTHERS:
                    raise TokenFileExposed(f"{self._path} can be read by others; delete it and sign in again")
                kept = json.load(file)
            return Tokens(kept["accessToken"], kept["refreshToken"], datetime.fromisoformat(kept["expiresAt"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def save(self, tokens: Tokens | None) -> None:
        """Replace the file, or remove it."""
        if tokens is None:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
            json.dump(
                {
                    "accessToken": tokens.access_token,
                    "refreshToken": tokens.refresh_token,
                    "expiresAt": tokens.expires_at.isoformat(),
                },
                file,
            )
        new.replace(self._path)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold the lock file; a program that is killed lets go of it."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self._path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, OWNER_ONLY), "w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(LOCK_SECONDS)
            yield


def default_path(address: str, home: Path) -> Path:
    """Where the tokens for a server are kept: those of one are never shown to another."""
    return home / f"tokens-{re.sub(r'[^A-Za-z0-9.-]', '_', address)}.json"
