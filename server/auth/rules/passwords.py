"""Rules for new passwords.

Sources: NIST SP 800-63B-4 (length, no composition rules, a blocklist, no words of the account); OWASP ASVS 6.2.
"""

import gzip
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from server.errors import PasswordBreached, PasswordContext, ValidationFailed

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128
"""The maximum length in code points of the normal form."""
NAMED_PART_LENGTH: Final = 4
"""The minimum length of a word of the account that a password may not contain; shorter words are too common."""
SERVICE_WORDS: Final = ("medconnect", "hospital", "prescripto")
"""Words that are easy to guess for this service."""

_COMMON: Final = Path(__file__).parent / "common_passwords.txt.gz"
_ROWS: Final = (
    "0123456789" * 13,
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_REPEATED: Final = re.compile(r"(.+?)\1+", re.DOTALL)


def normal_form(password: str) -> str:
    """Returns the form in which passwords are compared: Unicode form C, in which one text has one sequence of bytes."""
    return unicodedata.normalize("NFC", password)


def check_new_password(password: str, email: str, full_name: str = "", *, field: str = "password") -> None:
    """Rejects a password that is too short, too long, too common, or contains a word of the account or the service.

    field: the JSON name of the password's field. Raises ValidationFailed, PasswordContext or PasswordBreached.
    """
    if not MIN_LENGTH <= len(normal_form(password)) <= MAX_LENGTH:
        raise ValidationFailed.of(field, f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
    folded = _fold_text(password)
    if any(word in folded for word in _known_words(email, full_name)):
        raise PasswordContext.of(
            field, "must not contain the first part of the email address, the name, or the service's name"
        )
    if _is_common(folded):
        raise PasswordBreached.of(field, "is among the most common passwords")


def _known_words(email: str, full_name: str) -> list[str]:
    address = _fold_text(email)
    own = [address.partition("@")[0], *_fold_text(full_name).split()]
    return [*SERVICE_WORDS, address, *(word for word in own if len(word) >= NAMED_PART_LENGTH)]


def _fold_text(text: str) -> str:
    """Returns the text without case and without compatibility variants of Unicode characters (NFKC)."""
    return unicodedata.normalize("NFKC", text).casefold()


def _is_common(folded: str) -> bool:
    """Returns whether the password, or the unit that it repeats, is in the list or a run of keys, letters or digits."""
    repeated = _REPEATED.fullmatch(folded)
    unit = repeated[1] if repeated else folded
    along = any(unit in row or unit[::-1] in row for row in _ROWS)
    return along or folded in _common() or unit in _common()


@cache
def _common() -> frozenset[str]:
    """Returns the 30,000 most common passwords in lower case; reads them once, in 15 ms."""
    return frozenset(gzip.decompress(_COMMON.read_bytes()).decode().split("\n"))
