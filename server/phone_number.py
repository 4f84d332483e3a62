"""Phone numbers as people write them: what is accepted, and the digits by which a number is found.

Numbers are compared however they are written: with country code, trunk zero, extension, separators, or without.
"""

from typing import Final

import phonenumbers
import regex

from server.name_search import with_plain_digits

FEWEST_DIGITS: Final = 5
MOST_DIGITS: Final = 20
"""The fifteen of ITU-T E.164, with 00 or a trunk zero before and after the country code."""
LONGEST: Final = 60
"""The limit on a number as written, in characters."""
EXPECTED: Final = (
    f"must be a phone number with area code, of at least {FEWEST_DIGITS} digits, such as +44 20 7946 0018,"
    " (0341) 5550123 or 555-0123 ext. 7"
)

COMPARED_DIGITS: Final = 9
"""The number of digits, from the last, that a search compares: they differ within a country, and no prefix is among
them, so that `0341 5550123`, `+49 341 5550123` and `0049 (0)341 555-0123` are one number."""

_WORDS: Final = r"extension|extn|ext|x|\#|durchwahl|dw|poste|anexo|interno|int|ramal|toestel|tst"
PREFIX: Final = r"(?:tel\s*[.:]\s*)?"
NUMBER: Final = r"[(+]*\d(?:[\s()./+-]*\d)*"
EXTENSION: Final = rf"(?:\s*[,;]?\s*\(?(?:{_WORDS})[.:=\s]*\d{{1,7}}\)?)?"
"""A number, the word before it and its extension, which may be missing, in the characters of `with_plain_digits`."""
_WRITTEN: Final = regex.compile(rf"{PREFIX}({NUMBER}[)]?){EXTENSION}", regex.IGNORECASE)
_DIGIT: Final = regex.compile(r"\d")

_READ_AS: Final = "DE"
"""How a number without a country code is read: 00 calls abroad, 0 calls another town. The digits compared are the same
for every country."""


def is_valid(text: str) -> bool:
    """Returns whether a text is one phone number, with or without an extension, and long enough to be called."""
    written = _WRITTEN.fullmatch(with_plain_digits(text).strip())
    if written is None or len(text) > LONGEST:
        return False
    digits = len(_DIGIT.findall(written[1]))
    return FEWEST_DIGITS <= digits <= MOST_DIGITS


def search_key(text: str) -> str:
    """Returns the digits by which a number is found, the last one first; empty if the text holds no digit.

    A search for the last digits of a number is a prefix of its key.
    """
    written = with_plain_digits(text)
    try:
        number = phonenumbers.parse(written, _READ_AS)
        digits = phonenumbers.national_significant_number(number)
    except phonenumbers.NumberParseException:
        found = _WRITTEN.match(written.strip())
        digits = phonenumbers.normalize_digits_only(found[1] if found else written)
    return digits.lstrip("0")[: -COMPARED_DIGITS - 1 : -1]
