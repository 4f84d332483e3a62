"""Reads what packages of medicines state: expiry dates, and GS1 codes such as the DataMatrix code of a package.

A GS1 code is a sequence of elements: an application identifier, then its value. Values of a fixed length follow each
other; a value of variable length ends at FNC1, which scanners send as the character GS. People see identifiers in
brackets: `(01)04012345678901(17)280131(10)AB-1`. Source: GS1 General Specifications, sections 3, 7.8 and 7.12.
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

_MONTH: Final = re.compile(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})|(?P<month_first>\d{1,2})[-/.](?P<year_last>\d{4})")
_FNC1: Final = re.compile(r"<GS>|\{GS\}|\[GS\]|<FNC1>|[\x1d\x1e\u241d|]", re.IGNORECASE)
"""The ways in which scanners send FNC1."""
_PREFIX: Final = re.compile(r"\](?:d2|C1|e0|Q3|J1)", re.IGNORECASE)
"""The identifier by which scanners mark GS1 codes (ISO/IEC 15424)."""
_BEGINNING: Final = re.compile(rf"{_PREFIX.pattern}|\x1d|\(01\)\d|01\d{{14}}", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"\((\d{2,4})\)(.*?)(?=\(\d{2,4}\)|$)")
_FIXED: Final[Mapping[str, int]] = {
    "00": 18,
    "04": 16,
    "20": 2,
    **dict.fromkeys(("01", "02", "03", "41"), 14),
    **dict.fromkeys(("11", "12", "13", "14", "15", "16", "17", "18", "19"), 6),
    **dict.fromkeys(("31", "32", "33", "34", "35", "36"), 8),
}
"""The lengths of fixed values, by the first two digits of their identifiers; the other values end at FNC1."""
_PRODUCT, _EXPIRY, _BATCH = "01", "17", "10"
_LONGEST_BATCH: Final = 20
_CENTURY, _OLD = 2000, 80
"""Years from 80 on are of the century before, so that an old package is never taken for one of the future."""


class PackageCodeInvalid(ValueError):
    """The text is no GS1 code of a package, or is damaged."""


@dataclass(frozen=True, slots=True)
class Package:
    """The values that the code of a package states; None for those that it leaves out."""

    product_code: str | None
    """The GTIN, 14 digits."""
    batch_number: str | None
    expiry_date: date | None
    """The batch's last day of use."""


def read_expiry(text: str) -> date:
    """Returns the last day of use of `2028-01-31`, `2028-01` or `01/2028`. Raises ValueError for other texts."""
    found = _MONTH.fullmatch(text.strip())
    if found is None:
        return date.fromisoformat(text.strip())
    return _last_day(int(found["year"] or found["year_last"]), int(found["month"] or found["month_first"]))


def is_package_code(text: str) -> bool:
    """Returns whether a text begins as the GS1 code of a package does."""
    return _BEGINNING.match(_FNC1.sub("\x1d", text.strip())) is not None


def read_package(text: str) -> Package:
    """Returns what the GS1 code of a package states. Raises PackageCodeInvalid."""
    values: dict[str, str] = {}
    for identifier, value in _elements(_PREFIX.sub("", text.strip(), count=1)):
        if values.setdefault(identifier, value) != value:
            raise PackageCodeInvalid(f"the code states ({identifier}) twice")
    product, batch, expiry = (values.get(each) for each in (_PRODUCT, _BATCH, _EXPIRY))
    if product is None and batch is None and expiry is None:
        raise PackageCodeInvalid("the code states neither product nor batch nor expiry date")
    if product is not None and not _is_gtin(product):
        raise PackageCodeInvalid("the product code is damaged")
    if batch is not None and not 1 <= len(batch) <= _LONGEST_BATCH:
        raise PackageCodeInvalid("the batch number is too long: the scanner may leave FNC1 out")
    return Package(product, batch, None if expiry is None else _expiry(expiry))


def _elements(code: str) -> Iterator[tuple[str, str]]:
    """Yields identifiers and values; of identifiers that do not matter here, only the first two digits."""
    if code.startswith("("):
        if "".join(f"({name}){value}" for name, value in _BRACKETED.findall(code)) != code:
            raise PackageCodeInvalid("the code is damaged")
        for name, value in _BRACKETED.findall(code):
            yield name, _FNC1.sub("", value)
        return
    rest = _FNC1.sub("\x1d", code)
    while rest := rest.lstrip("\x1d"):
        identifier, rest = rest[:2], rest[2:]
        length = _FIXED.get(identifier)
        value = rest.partition("\x1d")[0] if length is None else rest[:length]
        if not re.fullmatch(r"[0-9]{2}", identifier) or not value or (length and len(value) != length):
            raise PackageCodeInvalid("the code is damaged")
        rest = rest[len(value) :]
        yield identifier, value


def _is_gtin(code: str) -> bool:
    if not re.fullmatch(r"[0-9]{14}", code):
        return False
    return sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(code)) % 10 == 0


def _expiry(text: str) -> date:
    """Returns the day of YYMMDD; day 00 is the month's last."""
    if not re.fullmatch(r"[0-9]{6}", text):
        raise PackageCodeInvalid("the expiry date is damaged")
    year, month, day = int(text[:2]), int(text[2:4]), int(text[4:])
    year += _CENTURY if year < _OLD else _CENTURY - 100
    try:
        return date(year, month, day) if day else _last_day(year, month)
    except ValueError:
        raise PackageCodeInvalid("the expiry date does not exist") from None


def _last_day(year: int, month: int) -> date:
    return date(year, month, 1).replace(day=calendar.monthrange(year, month)[1])
