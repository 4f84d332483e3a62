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
"""So many wrong tries, and the code is dead: a guess succeeds once in 200,000 codes."""
MAX_PER_DAY: Final = 10
"""Codes that an account is sent in 24 hours, whatever they are for."""


class Purpose(StrEnum):
    """What a code opens."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, no secret
    HISTORY_ACCESS = "history_access"
    EMAIL_CONFIRMATION = "email_confirmation"


@dataclass(frozen=True, slots=True)
class CodeScope:
    """For whom and for what a code is."""

    user_id: UUID
    purpose: Purpose
    session_id: UUID | None = None
    """The session that asked for it, if only that one may use it: always with HISTORY_ACCESS, never else."""


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
