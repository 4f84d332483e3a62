"""One-time codes: six random digits that a mail carries, good for one purpose.

They are stored as HMAC-SHA256 only, under a key outside the database: of a million codes a plain hash hides nothing.
The hash covers for whom and for what a code is, so that it opens nothing else. Sources: OWASP ASVS
6.5, NIST SP 800-63B-4.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

DIGITS: Final = 6
LIFETIME: Final = timedelta(minutes=10)
MAX_TRIES: Final = 5
"""So many wrong tries by the client that asked end a code, and so many by others are judged against it."""
MAX_PER_DAY: Final = 10
"""Codes of one purpose that an account is sent in 24 hours; of reset codes, those that one address asked for."""
STRANGERS_CODES: Final = 20
"""Reset codes that an account is sent in 24 hours because addresses asked from which it has not signed in lately."""
STRANGERS_TRIES: Final = 30
"""Tries at reset codes that all strangers share in 24 hours, beside the first try at each code, which is always judged.

So strangers guess STRANGERS_CODES + STRANGERS_TRIES times a day, however many addresses they have: their chance is
5e-5 for each account. An address from which the account signs in has MAX_PER_DAY * MAX_TRIES guesses of its own.
"""


class Purpose(StrEnum):
    """What a code opens."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, no secret
    HISTORY_ACCESS = "history_access"
    EMAIL_CONFIRMATION = "email_confirmation"


@dataclass(frozen=True, slots=True)
class Asker:
    """The client that asks for a code, or tries one, without being signed in."""

    address: bytes
    """Keyed hash of the address that it calls from."""
    nonce: bytes | None
    """Keyed hash of its nonce: the code opens together with that alone. None if it has none."""
    known: bool
    """Whether the account signed in from that address lately."""


@dataclass(frozen=True, slots=True)
class CodeScope:
    """For whom and for what a code is."""

    user_id: UUID
    purpose: Purpose
    session_id: UUID | None = None
    """The session that asked for it, if only that one may use it: always with HISTORY_ACCESS, never else."""
    asker: Asker | None = None
    """Who asks, if it may be a stranger: with PASSWORD_RESET alone."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code on its way to its owner."""

    text: str
    hash: bytes
    """What is stored of it."""


def issue(scope: CodeScope, key: bytes) -> IssuedCode:
    """A new code; leading zeros are as likely as any digit."""
    text = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    return IssuedCode(text, stored_hash(text, scope, key))


def stored_hash(text: str, scope: CodeScope, key: bytes) -> bytes:
    """What is stored of a code: nobody without the key can tell which of the million it was."""
    bound = f"{scope.purpose}|{scope.user_id}|{scope.session_id}|{text}"
    return hmac.digest(key, bound.encode(), "sha256")
