"""Quantities and their units."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

_CENT = Decimal("0.01")


class QuantityUnit(StrEnum):
    """The unit of a quantity; the UCUM codes are in the API documentation."""

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
    """An international unit, such as of insulin."""
    AMPOULE = "ampoule"
    SACHET = "sachet"
    SUPPOSITORY = "suppository"
    PACK = "pack"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


_PLURALS = {
    QuantityUnit.ML: "ml",
    QuantityUnit.G: "g",
    QuantityUnit.PATCH: "patches",
    QuantityUnit.SUPPOSITORY: "suppositories",
}
"""The plurals that do not only add an s."""


def in_words(quantity: Decimal, unit: QuantityUnit) -> str:
    """Returns a quantity with its unit: `2.5 ml`, `1 tablet`; without a unit that is unknown."""
    number = f"{quantity.normalize():f}"
    if unit is QuantityUnit.UNKNOWN:
        return number
    return f"{number} {unit if quantity == 1 else _PLURALS.get(unit, f'{unit}s')}"


def price_of(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """Returns the price of a quantity as the server computes it: rounded half up to two decimals."""
    return (quantity * unit_price).quantize(_CENT, ROUND_HALF_UP)
