"""What people type, paste and scan: plain functions from text to values."""

import calendar
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

QR_PREFIX: Final = "MC1."
REFERENCE: Final = re.compile(r"(RX|PAT)-?\d{8}-?[0-9A-Z]{8}", re.IGNORECASE)
PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
DEAREST: Final = Decimal(1_000_000)
CENTS: Final = -2


class EntryWrong(ValueError):
    """What was typed cannot be meant; the message says what can."""


class Kind(Enum):
    """What an entry names."""

    CODE = auto()
    """The text of a QR code, as a scanner types it."""
    REFERENCE = auto()
    """`RX-…` or `PAT-…`."""
    PICTURE = auto()
    """The path of a picture."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody asks for at the counter."""

    kind: Kind
    text: str


def typed(text: str) -> str:
    """Returns the text without white space around it and without what pasted numbers bring along unseen."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip()


def read_entry(text: str) -> Entry:
    """What a line at the counter names. Raises EntryWrong."""
    text = typed(text).strip("'\"")
    if text.upper().startswith(QR_PREFIX):
        return Entry(Kind.CODE, text)
    if REFERENCE.fullmatch(text):
        return Entry(Kind.REFERENCE, text)
    path = Path(text).expanduser()
    if path.suffix.lower() in PICTURES:
        return Entry(Kind.PICTURE, str(path))
    raise EntryWrong("That is no QR code, no number (RX-… or PAT-…) and no picture.")


def read_quantity(text: str, most: int) -> int:
    """A number of units from 0 to `most`; nothing typed means all. Raises EntryWrong."""
    text = typed(text)
    if not text:
        return most
    if not text.isdecimal() or int(text) > most:
        raise EntryWrong(f"A whole number from 0 to {most}.")
    return int(text)


def read_price(text: str) -> Decimal:
    """A price such as 12.50 or 12,50. Raises EntryWrong."""
    try:
        price = Decimal(typed(text).replace(",", "."))
    except InvalidOperation:
        raise EntryWrong("A price such as 12.50.") from None
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < CENTS or not 0 <= price <= DEAREST:
        raise EntryWrong("A price from 0 to 1000000 with at most two decimals.")
    return price


def read_day(text: str) -> date:
    """A day as `YYYY-MM-DD`, or the last one of a month as `MM/YYYY`, the way packages print it. Raises EntryWrong."""
    text = typed(text)
    month = re.fullmatch(r"(\d{1,2})[/.](\d{4})", text)
    try:
        if month is not None:
            year, number = int(month[2]), int(month[1])
            return date(year, number, calendar.monthrange(year, number)[1])
        return date.fromisoformat(text)
    except ValueError:
        raise EntryWrong("A day such as 2031-12-31, or a month such as 12/2031.") from None


def read_batch(text: str) -> str:
    """A batch's name. Raises EntryWrong."""
    text = typed(text)
    if not text or text.upper().startswith(QR_PREFIX):
        raise EntryWrong("The batch that is printed on the package.")
    return text


def read_line(text: str, items: tuple[PrescriptionItem, ...]) -> DispenseLine:
    """A line of a script, `ITEM:QUANTITY:PRICE:BATCH:EXPIRY`; ITEM is the medicine's place or its id.

    Raises EntryWrong.
    """
    try:
        named, quantity, price, batch, expiry = text.split(":")
    except ValueError:
        raise EntryWrong(f"{text!r} is not ITEM:QUANTITY:PRICE:BATCH:EXPIRY.") from None
    if not quantity.isdecimal() or int(quantity) == 0:
        raise EntryWrong(f"{quantity!r} is no quantity.")
    return DispenseLine(item_id(named, items), int(quantity), read_price(price), read_batch(batch), read_day(expiry))


def item_id(named: str, items: tuple[PrescriptionItem, ...]) -> str:
    """The id of a medicine that is named by its place, from 1, or by the id itself. Raises EntryWrong."""
    if not named.isdecimal():
        return named
    if not 1 <= int(named) <= len(items):
        raise EntryWrong(f"There is no medicine {named}.")
    return items[int(named) - 1].id


def written_line(line: DispenseLine) -> str:
    """A line as `read_line` reads it, with the medicine's id."""
    return f"{line.item_id}:{line.quantity}:{line.unit_price}:{line.batch_number}:{line.expiry_date.isoformat()}"
