"""Reads numbers and codes as people type them and scanners send them: only their letters and digits count."""

import unicodedata
from typing import Final

import regex

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The digits of Crockford's base32, in which numbers and codes are written: no letter looks like a digit.

Source: https://www.crockford.com/base32.html.
"""
LOOK_ALIKES: Final = str.maketrans("ILO", "110")
"""Letters that people type for the digits that they look like; for `str.translate` of capitals."""

_DASHES_OF_KEYBOARDS: Final = "_\u2500\u30fc\uff70"
"""Typed for a dash, without being one: with Shift, by drawing, and by Japanese input methods."""
_SEPARATORS: Final = regex.compile(
    rf"[\p{{White_Space}}\p{{Dash}}\p{{Default_Ignorable_Code_Point}}\p{{Cf}}{_DASHES_OF_KEYBOARDS}[\p{{Cc}}--\0]]",
    regex.VERSION1,
)
_WITHIN_PUNCTUATION: Final = regex.compile(r"^\p{P}*+(.*\P{P})?+\p{P}*+$", regex.DOTALL)
"""Possessive, so that a long row of full stops takes linear time."""
_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""The full-width forms of ASCII (Unicode's block Halfwidth and Fullwidth Forms)."""


def compact(text: str) -> str:
    """Returns the text without white space, dashes, control and invisible characters, and punctuation around it.

    Full-width letters and the digits of every script become ASCII. Other characters are kept, so that a reader refuses
    them: no letter or digit is ever dropped. Takes time linear in the length.
    """
    joined: str = _WITHIN_PUNCTUATION.sub(r"\1", _SEPARATORS.sub("", text))
    if joined.isascii():
        return joined
    return "".join(map(_narrow, joined.translate(_FULL_WIDTH)))


def _narrow(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)
