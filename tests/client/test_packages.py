"""The GS1 codes and expiry dates of packages: whatever a code states is read, and a damaged code is refused."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import pytest
from medconnect_client.packages import Package, PackageCodeInvalid, is_package_code, read_expiry, read_package

from server.pharmacy.rules import batch_expiry
from tests.fixtures.cells import cells
from tests.fixtures.package_codes import DAMAGED, READ, random_codes

ROUNDS: Final = 500


@cells("code", READ)
def test_code_of_a_package_is_read(code: str) -> None:
    assert is_package_code(code)
    assert read_package(code) == Package(*READ[code])


@cells("code", DAMAGED)
def test_damaged_code_of_a_package_is_refused(code: str) -> None:
    with pytest.raises(PackageCodeInvalid):
        read_package(code)


def test_every_order_and_separator_states_the_same() -> None:
    for code, stated in random_codes(random.Random(16), ROUNDS):
        assert is_package_code(code)
        assert read_package(code) == Package(*stated), code


def test_no_changed_digit_of_a_product_code_is_read() -> None:
    for place in range(14):
        for change in range(1, 10):
            gtin = list("04012345678901")
            gtin[place] = str((int(gtin[place]) + change) % 10)
            with pytest.raises(PackageCodeInvalid):
                read_package(f"01{''.join(gtin)}17280131")


def months() -> Iterator[tuple[str, date]]:
    """Yields writings of a month with its last day."""
    for month in range(1, 13):
        for year in (2027, 2028, 2100):
            last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
            for written in (f"{year}-{month:02}", f"{month:02}/{year}", f"{month}.{year}", f"{month:02}-{year}"):
                yield written, last
            yield last.isoformat(), last


def test_month_means_its_last_day_for_server_and_client() -> None:
    for written, last in months():
        assert (batch_expiry.read(written), read_expiry(written)) == (last, last)


@pytest.mark.parametrize("text", ["", "13/2028", "00/2028", "2028-13", "2028-02-30", "01/28", "2028", "1/1/2028"])
def test_expiry_that_does_not_exist_is_refused(text: str) -> None:
    for read in (batch_expiry.read, read_expiry):
        with pytest.raises(ValueError, match=r"."):
            read(text)
