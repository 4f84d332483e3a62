"""One-time codes: six random digits that are sent by email and valid for one purpose.

They are stored only as HMAC-SHA256, with a key outside the database: a plain hash of one of a million codes could be
reversed by trying all. The hash covers the account, purpose and session, so that a code is valid for nothing else.
Sources: OWASP ASVS 6.5, NIST SP 800-63B-4.
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
"""The number of wrong tries by the requesting client that ends a code, and of the tries by others that are checked."""
MAX_PER_DAY: Final = 10
"""The maximum number of codes per account and purpose in 24 hours; for reset codes, from each requesting address."""
STRANGERS_CODES: Final = 20
"""The maximum number of reset codes per account in 24 hours for all strangers together.

A stranger is a client at an address from which the account has not signed in during the last 30 days.
"""
STRANGERS_TRIES: Final = 30
"""The number of tries at reset codes that all strangers share in 24 hours, besides the first try at each code.

Strangers can therefore guess STRANGERS_CODES + STRANGERS_TRIES times a day, regardless of the number of their
addresses: their chance is 5e-5 per account. An address from which the account signs in has MAX_PER_DAY * MAX_TRIES
guesses of its own.
"""


class Purpose(StrEnum):
    """The purpose that a code is valid for."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, no secret
    HISTORY_ACCESS = "history_access"
    EMAIL_CONFIRMATION = "email_confirmation"


@dataclass(frozen=True, slots=True)
class Asker:
    """The client that requests or tries a code without being signed in."""

    address: bytes
    """The keyed hash of the address that it calls from."""
    nonce: bytes | None
    """The keyed hash of its nonce, without which the code is not accepted. None if the client has none."""
    known: bool
    """Whether the account signed in from that address during the last 30 days."""


@dataclass(frozen=True, slots=True)
class CodeScope:
    """The account, purpose and session that a code is valid for."""

    user_id: UUID
    purpose: Purpose
    session_id: UUID | None = None
    """The session that requested the code, which alone may use it; set only for HISTORY_ACCESS, and always there."""
    asker: Asker | None = None
    """The client, which may be a stranger; set only for PASSWORD_RESET."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A new code that is to be sent to its owner."""

    text: str
    hash: bytes
    """The hash that is stored."""


def issue(scope: CodeScope, key: bytes) -> IssuedCode:
    """Returns a new random code, which may have leading zeros."""
    text = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    return IssuedCode(text, stored_hash(text, scope, key))


def stored_hash(text: str, scope: CodeScope, key: bytes) -> bytes:
    """Returns the hash to store for a code; without the key the code cannot be found by trying all."""
    bound = f"{scope.purpose}|{scope.user_id}|{scope.session_id}|{text}"
    return hmac.digest(key, bound.encode(), "sha256")
