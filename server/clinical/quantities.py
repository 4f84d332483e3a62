"""Units of quantities, and how quantities are read and written; quantities are decimals with up to three places."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

MOST: Final = Decimal(10_000)

_CENT: Final = Decimal("0.01")


class QuantityUnit(StrEnum):
    """The units of quantities; the UCUM codes are in the proto."""

    PIECE = "piece"
    TABLET = "tablet"
    CAPSULE = "capsule"
    ML = "ml"
    G = "g"
    DROP = "drop"
    PUFF = "puff"
    DOSE = "dose"
    PATCH = "patch"
    UNIT = "unit"
    AMPOULE = "ampoule"
    SACHET = "sachet"
    SUPPOSITORY = "suppository"
    PACK = "pack"


_PLURALS: Final = {
    QuantityUnit.ML: "ml",
    QuantityUnit.G: "g",
    QuantityUnit.PATCH: "patches",
    QuantityUnit.SUPPOSITORY: "suppositories",
}
"""The plurals that do not only add an s."""


def unit_in_words(quantity: Decimal, unit: QuantityUnit) -> str:
    """Returns the unit in words for people, in the number that the quantity asks for."""
    return unit.value if quantity == 1 else _PLURALS.get(unit, f"{unit.value}s")


def in_words(quantity: Decimal, unit: QuantityUnit) -> str:
    """Returns a quantity with its unit for people: `2.5 ml`, `1 tablet`."""
    return f"{in_digits(quantity)} {unit_in_words(quantity, unit)}"


def in_digits(quantity: Decimal) -> str:
    """Returns a quantity without an exponent and without zeros at its end: `2.5`."""
    return f"{quantity.normalize():f}"


def price_of(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """Returns the price of a quantity, rounded half up to cents; sums are formed of rounded prices."""
    return (quantity * unit_price).quantize(_CENT, ROUND_HALF_UP)
