"""Quantities in words are the same for the server, the client and the page; sums of parts are exact."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from medconnect_client.models import _quantities as client

from server.clinical.quantities import QuantityUnit, in_words, price_of

PAGE = Path(__file__).parents[2] / "clients/web/js/parts/quantity.js"


@pytest.mark.parametrize("quantity", ["0.5", "1", "1.000", "2.50", "1E+3"])
def test_every_unit_is_in_the_same_words_everywhere(quantity: str) -> None:
    amount = Decimal(quantity)
    for unit in QuantityUnit:
        assert in_words(amount, unit) == client.in_words(amount, client.QuantityUnit(unit))
    assert client.in_words(amount, client.QuantityUnit.UNKNOWN) == f"{amount.normalize():f}"


def test_page_has_the_units_and_plurals_of_the_server() -> None:
    plurals = dict(re.findall(r'(\w+): "(\w+)"', PAGE.read_text()))
    assert plurals == {unit.value: in_words(Decimal(2), unit).removeprefix("2 ") for unit in QuantityUnit}


def test_price_is_rounded_half_up_as_the_client_does() -> None:
    for quantity, price, total in (("2.5", "0.33", "0.83"), ("0.5", "0.01", "0.01"), ("0.005", "1", "0.01")):
        assert price_of(Decimal(quantity), Decimal(price)) == Decimal(total)
        assert client.price_of(Decimal(quantity), Decimal(price)) == Decimal(total)
