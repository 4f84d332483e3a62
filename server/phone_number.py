"""Compares phone numbers however they are written: with country code, trunk zero, extension, separators, or without."""

from typing import Final

import phonenumbers

COMPARED_DIGITS: Final = 9
"""The number of digits, from the last, that a search compares: they differ within a country, and no prefix is among
them, so that `0341 5550123`, `+49 341 5550123` and `0049 (0)341 555-0123` are one number."""

_READ_AS: Final = "DE"
"""How a number without a country code is read: 00 calls abroad, 0 calls another town. The digits compared are the same
for every country."""


def search_key(text: str) -> str:
    """Returns the digits by which a number is found, the last one first; empty if the text holds no digit.

    A search for the last digits of a number is a prefix of its key.
    """
    try:
        number = phonenumbers.parse(text, _READ_AS)
        digits = phonenumbers.national_significant_number(number)
    except phonenumbers.NumberParseException:
        digits = phonenumbers.normalize_digits_only(text)
    return digits.lstrip("0")[: -COMPARED_DIGITS - 1 : -1]
