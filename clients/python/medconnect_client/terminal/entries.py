"""Parses typed, pasted and scanned text: plain functions from text to values."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from pathlib import Path
from typing import Final

from medconnect_client import DispenseLine
from medconnect_client.models import PrescriptionItem
from medconnect_client.packages import Package, PackageCodeInvalid, is_package_code, read_expiry, read_package

_CODE: Final = re.compile(r"MC1\..*|RX[B-X]{120}", re.IGNORECASE)
_LONGEST_NUMBER: Final = 40
"""Twenty characters, each with a space or an invisible character behind it."""
REFERENCE: Final = re.compile(r"(RX|PAT)[0-9A-Z]{16}")
QUANTITY: Final = re.compile(r"(?![1-9]\d*\.000)\d{1,5}(?:\.\d{1,3}|,\d{1,2})?|0,\d{3}")
"""A decimal with at most three places; `1,000` and `1.000` are none, because they may mean a thousand."""
PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
DEAREST: Final = Decimal(1_000_000)
CENTS: Final = -2
SHORTEST_REASON: Final = 3


class EntryWrong(ValueError):
    """The typed text is not valid; the message states what is."""


class Kind(Enum):
    """The kind of an entry."""

    CODE = auto()
    """The text of a QR code, as a scanner types it."""
    REFERENCE = auto()
    """`RX-…` or `PAT-…`."""
    PICTURE = auto()
    """The path of a picture."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A parsed entry of the main prompt."""

    kind: Kind
    text: str


def typed(text: str) -> str:
    """Returns the text without surrounding white space and without the invisible characters of pasted numbers."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip()


def is_code(text: str) -> bool:
    """Returns whether a text has the form of a prescription's QR code, as a camera reads it."""
    return _CODE.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Returns whether the letters and digits of a text have the form of a number, which the server then reads."""
    narrow = unicodedata.normalize("NFKC", text)
    plain = "".join(str(unicodedata.decimal(character, character)) for character in narrow)
    return REFERENCE.fullmatch(re.sub("[^0-9A-Za-z]", "", plain).upper()) is not None


def read_entry(text: str) -> Entry:
    """Parses an entry of the main prompt. Raises EntryWrong."""
    text = typed(text).strip("'\"")
    if is_code(text):
        return Entry(Kind.CODE, text)
    if is_reference(text):
        return Entry(Kind.REFERENCE, text)
    path = Path(text).expanduser()
    if path.suffix.lower() in PICTURES:
        return Entry(Kind.PICTURE, str(path))
    if len(text) > _LONGEST_NUMBER:  # only a code is as long; the service tells whether it is damaged
        return Entry(Kind.CODE, text)
    raise EntryWrong("This is not a QR code, a number (RX-… or PAT-…) or a picture.")


def read_quantities(text: str, most: Decimal) -> tuple[Decimal, ...]:
    """Parses the quantities of a medicine from each batch, such as 2.5 or 2,5 or 5+15; empty text means all from one.

    Their sum is at most `most`; there are none if it is 0. Raises EntryWrong.
    """
    text = typed(text)
    parts = [_decimal(part.strip()) for part in text.split("+")] if text else [most]
    quantities = tuple(part for part in parts if part is not None)
    if len(quantities) < len(parts) or sum(quantities) > most or (len(parts) > 1 and not all(quantities)):
        raise EntryWrong(f"Enter a number from 0 to {most.normalize():f}, with at most three decimal places.")
    return tuple(filter(None, quantities))


def _decimal(text: str) -> Decimal | None:
    return Decimal(text.replace(",", ".")) if QUANTITY.fullmatch(text) else None


def read_price(text: str) -> Decimal:
    """Parses a price such as 12.50 or 12,50. Raises EntryWrong."""
    try:
        price = Decimal(typed(text).replace(",", "."))
    except InvalidOperation:
        raise EntryWrong("Enter a price such as 12.50.") from None
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < CENTS or not 0 <= price <= DEAREST:
        raise EntryWrong("Enter a price from 0 to 1000000 with at most two decimals.")
    return price


def read_day(text: str) -> date:
    """Parses a day, or the last day of a month, as printed on packages: see `read_expiry`. Raises EntryWrong."""
    try:
        return read_expiry(typed(text))
    except ValueError:
        raise EntryWrong("Enter a day such as 2031-12-31, or a month such as 12/2031.") from None


def read_batch(text: str) -> Package:
    """Parses a batch number, or the GS1 code of the package, which may state it. Raises EntryWrong."""
    text = typed(text)
    if is_package_code(text):
        try:
            return read_package(text)
        except PackageCodeInvalid as wrong:
            raise EntryWrong(f"This code cannot be read: {wrong}.") from None
    if not text or is_code(text):
        raise EntryWrong("Enter the batch number printed on the package, or scan the package's code.")
    return Package(None, text, None)


def read_printed_batch(text: str) -> str:
    """Parses a batch number that the package's code leaves out. Raises EntryWrong."""
    batch = read_batch(text).batch_number
    if batch is None:
        raise EntryWrong("Enter the batch number printed on the package.")
    return batch


def read_reason(text: str) -> str:
    """Parses the reason of a substitution. Raises EntryWrong."""
    text = text.strip()
    if len(text) < SHORTEST_REASON:
        raise EntryWrong("Enter the reason, such as: not in stock.")
    return text


def read_substitute(text: str, items: tuple[PrescriptionItem, ...]) -> tuple[str, tuple[str, str]]:
    """Parses `ITEM:PRODUCT:REASON` into the medicine's id, and the product and the reason. Raises EntryWrong."""
    named, *given = (part.strip() for part in text.split(":", 2))
    if len(given) < len(("PRODUCT", "REASON")) or not all(given):
        raise EntryWrong(f"{text!r} is not ITEM:PRODUCT:REASON.")
    product, reason = given
    return item_id(named, items), (product, reason)


def read_line(text: str, items: tuple[PrescriptionItem, ...]) -> DispenseLine:
    """Parses a line of a script, `ITEM:QUANTITY:PRICE:BATCH:EXPIRY`; ITEM is the medicine's position or its id.

    A product code may follow. The GS1 code of the package may stand for all that follows the price. Raises EntryWrong.
    """
    try:
        named, quantity, price, stated = text.split(":", 3)
        package = _read_stated(stated)
    except ValueError:
        raise EntryWrong(f"{text!r} is not ITEM:QUANTITY:PRICE:BATCH:EXPIRY.") from None
    amount = _decimal(quantity)
    if not amount:
        raise EntryWrong(f"{quantity!r} is not a quantity, such as 2 or 2.5.")
    if not package.batch_number or not package.expiry_date:
        raise EntryWrong("The package's code leaves out the batch number or the expiry date.")
    return DispenseLine.of(
        item_id(named, items),
        amount,
        read_price(price),
        package.batch_number,
        package.expiry_date,
        product_code=package.product_code,
    )


def _read_stated(text: str) -> Package:
    """Parses `BATCH:EXPIRY`, `BATCH:EXPIRY:CODE` or the GS1 code of a package. Raises ValueError."""
    if is_package_code(text):
        return read_batch(text)
    batch, expiry, *codes = text.split(":", 2)
    return Package(codes[0] if codes else None, read_batch(batch).batch_number, read_day(expiry))


def item_id(named: str, items: tuple[PrescriptionItem, ...]) -> str:
    """Returns the id of a medicine that is given by its position, from 1, or by its id. Raises EntryWrong."""
    if not named.isdecimal():
        return named
    if not 1 <= int(named) <= len(items):
        raise EntryWrong(f"There is no medicine {named}.")
    return items[int(named) - 1].id


def written_line(line: DispenseLine) -> str:
    """Returns a line in the format of `read_line`, with the medicine's id."""
    stated = [line.item_id, line.amount, line.unit_price, line.batch_number, line.expiry_date.isoformat()]
    return ":".join(map(str, [*stated, line.product_code] if line.product_code else stated))


def written_substitute(line: DispenseLine) -> str:
    """Returns the product given in a line, in the format of `read_substitute`, with the medicine's id."""
    return f"{line.item_id}:{line.dispensed_medicine_name}:{line.substitution_reason}"
