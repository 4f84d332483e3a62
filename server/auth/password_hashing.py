"""Hashing and verification of passwords.

Sources: OWASP Password Storage Cheat Sheet (argon2id, 19 MiB, 2 passes, 1 lane); NIST SP 800-63B-4, section 3.1.1.2
(a password is normalized before it is hashed, because keyboards and systems type the same letter differently).
"""

import asyncio
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from passlib.context import CryptContext

from server.auth.rules.passwords import normal_form
from server.errors import ServerBusy

_THREADS: Final = 2
"""The number of hashing threads; each hash takes 20 ms and 19 MiB."""
_NICENESS: Final = 5
"""With this niceness, hashing gets a quarter of a busy processor (weights of sched(7): 335 to 1,024)."""
LONGEST_WAIT_SECONDS: Final = 1.0

_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
_BCRYPT_BYTES: Final = 72

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """The result of checking a password."""

    matches: bool
    replacement: str | None
    """The new hash to store if the password matches and the stored hash is of an old kind; otherwise None.

    Of an old kind are the hashes of the previous system, and those of passwords that were not normalized.
    """


def hashing_threads() -> ThreadPoolExecutor:
    """Returns the thread pool for hashing. On Linux other work has priority: many sign-ins slow down only sign-ins."""
    return ThreadPoolExecutor(_THREADS, "hashing", initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Passwords:
    """Hashes and checks passwords outside the event loop, in `hashing_threads`.

    Both methods raise ServerBusy if no thread was free for LONGEST_WAIT_SECONDS.
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
        """Returns the text to store for the password's normal form: an argon2id PHC string with a new salt."""
        return await self._off_loop(lambda: self._context.hash(normal_form(password)))

    async def check(self, password: str, stored: str | None) -> PasswordCheck:
        """Compares a password with the stored hash: its normal form, then, if that differs, the password as sent.

        stored: None if the account does not exist or has no password; this never matches and takes the same time. A
        hash of the previous system (bcrypt) can match, and so can one of a password that was set before passwords were
        normalized; the result then contains its replacement. A hash of an unknown kind never matches; its owner must
        set a new password.
        """
        return await self._off_loop(lambda: self._check(password, stored))

    def _check(self, password: str, stored: str | None) -> PasswordCheck:
        normal = normal_form(password)
        check = self._check_form(normal, stored)
        if check.matches or password == normal:
            return check
        # The number of hashes depends on what the caller sent, never on whether the account exists.
        if self._check_form(password, stored).matches:
            return PasswordCheck(matches=True, replacement=self._context.hash(normal))
        return check

    def _check_form(self, password: str, stored: str | None) -> PasswordCheck:
        if stored is not None and not self._cut_by_bcrypt(password, stored):
            with suppress(ValueError):
                return PasswordCheck(*self._context.verify_and_update(password, stored))
        self._context.verify(password, self._nobodys)
        return PasswordCheck(matches=False, replacement=None)

    def _cut_by_bcrypt(self, password: str, stored: str) -> bool:
        """Returns whether bcrypt would ignore the end of the password."""
        return len(password.encode()) > _BCRYPT_BYTES and self._context.identify(stored) == "bcrypt"

    async def _off_loop(self, work: Callable[[], T]) -> T:
        last_start = time.monotonic() + LONGEST_WAIT_SECONDS

        def in_time() -> T:
            if time.monotonic() > last_start:
                raise ServerBusy()
            return work()

        return await asyncio.get_running_loop().run_in_executor(self._executor, in_time)
