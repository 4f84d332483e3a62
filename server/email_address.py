"""The form in which email addresses are stored and compared, and what an address may contain.

A domain in another script is stored in its ASCII form (IDNA 2008), which every mail server understands. A local part
may contain letters of other scripts (RFC 6531); they reach servers that offer SMTPUTF8.
"""

import re
import unicodedata
from typing import Final

import idna

EXPECTED: Final = "must be a valid email address"
LONGEST: Final = 254
"""In octets of UTF-8, as RFC 5321 section 4.5.3.1.3 limits a path."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_ADDRESS: Final = re.compile(rf"(?!=\?){_LOCAL}(?:\.{_LOCAL})*@{_LABEL}(?:\.{_LABEL})*")
"""RFC 5321's dot-string with RFC 6531's letters, but no encoded word (RFC 2047), which mail programs would decode."""


def normal(text: str) -> str:
    """Returns an address in lower case, its domain in ASCII; a text whose domain no rule accepts is only folded."""
    folded = unicodedata.normalize("NFC", text.strip().replace("\uff20", "@").lower())
    local, at, domain = folded.rpartition("@")
    if domain.isascii():
        return folded
    try:
        return local + at + idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:  # idna's errors, too
        return folded


def is_valid(address: str) -> bool:
    """Returns whether a normal address has a form to which emails can be sent."""
    return _ADDRESS.fullmatch(address) is not None and len(address.encode()) <= LONGEST
