"""A token store in a file that only its owner can read, shared by all programs of that user."""

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
    """Other users can read the token file and could use the session."""


class TokenFile:
    """A token store (POSIX); the file is replaced atomically, so that readers never see a part of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Tokens | None:
        """Returns the tokens in the file; None if it is missing or cannot be parsed. Raises TokenFileExposed."""
        try:
            with self._path.open() as file:
                if os.fstat(file.fileno()).st_mode & OTHERS:
                    raise TokenFileExposed(f"{self._path} can be read by others; delete it and sign in again")
                kept = json.load(file)
            return Tokens(kept["accessToken"], kept["refreshToken"], datetime.fromisoformat(kept["expiresAt"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def save(self, tokens: Tokens | None) -> None:
        """Replaces the file; None removes it."""
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
        """Locks the lock file while the block runs; the lock ends with the process, even if it is killed."""
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
    """Returns the token file of a server; each server has its own, so that no token is sent to another."""
    return home / f"tokens-{re.sub(r'[^A-Za-z0-9.-]', '_', address)}.json"
