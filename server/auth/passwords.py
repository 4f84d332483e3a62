"""Passwords: how they are stored and checked.

Source: OWASP Password Storage Cheat Sheet (argon2id, 19 MiB, 2 passes, 1 lane).
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from passlib.context import CryptContext

from server.errors import ServerBusy

HASHING_THREADS: Final = 2
"""Threads of the executor: each hash takes 20 ms and 19 MiB, and leaves the other calls alone."""
LONGEST_WAIT_SECONDS: Final = 1.0

_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
_BCRYPT_BYTES: Final = 72

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """What checking a password found."""

    matches: bool
    replacement: str | None
    """The hash to store from now on, when the stored one is of an old kind; only after a match."""


class Passwords:
    """Hashes and checks passwords outside the event loop, in an executor with HASHING_THREADS threads of its own.

    Both raise ServerBusy when no thread was free for LONGEST_WAIT_SECONDS.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._context = CryptContext(
            schemes=["argon2", "bcrypt"],
            deprecated=["bcrypt"],
            argon2__type="ID",
            argon2__memory_cost=_MEMORY_KIB,
            argon2__time_cost=_PASSES,
            argon2__parallelism=_LANES,
        )
        self._nobodys = self._context.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The text to store: an argon2id PHC string with a fresh salt."""
        return await self._off_loop(lambda: self._context.hash(password))

    async def check(self, password: str, stored: str | None) -> PasswordCheck:
        """Compare a password, exactly as it was sent, with what is stored.

        stored: None if there is no such account, or none with a password: that never matches and is the same work. A
        hash of the system before this one (bcrypt) can match and then brings its replacement. What is no hash that we
        know never matches: its owner sets a new password.
        """
        return await self._off_loop(lambda: self._check(password, stored))

    def _check(self, password: str, stored: str | None) -> PasswordCheck:
        if stored is not None and not self._cut_by_bcrypt(password, stored):
            with suppress(ValueError):
                return PasswordCheck(*self._context.verify_and_update(password, stored))
        self._context.verify(password, self._nobodys)
        return PasswordCheck(matches=False, replacement=None)

    def _cut_by_bcrypt(self, password: str, stored: str) -> bool:
        """Whether the comparison would ignore the end of the password."""
        return len(password.encode()) > _BCRYPT_BYTES and self._context.identify(stored) == "bcrypt"

    async def _off_loop(self, work: Callable[[], T]) -> T:
        last_start = time.monotonic() + LONGEST_WAIT_SECONDS

        def in_time() -> T:
            if time.monotonic() > last_start:
                raise ServerBusy()
            return work()

        return await asyncio.get_running_loop().run_in_executor(self._executor, in_time)
