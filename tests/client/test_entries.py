"""The terminal's parsers turn typed and scanned text into values, or raise a hint."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from medconnect_client import DispenseLine
from medconnect_client.models import PrescriptionItem
from medconnect_client.terminal import entries
from medconnect_client.terminal.entries import EntryWrong, Kind
from medconnect_client.terminal.pictures import read_picture
from PIL import Image

from server.qr import picture
from tests.fixtures.cells import cells
from tests.fixtures.typed_numbers import WRITINGS

ITEMS = tuple(
    PrescriptionItem(f"item-{place}", "Doxycycline", "100 mg", "daily", 20, "", "", None, 0, 20) for place in (1, 2)
)
CODE = "MC1.k1." + "x" * 100


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (CODE, Kind.CODE),
        (f"  {CODE}\r", Kind.CODE),
        ("RX" + "B" * 120, Kind.CODE),
        ("$A&RX" + "B" * 120, Kind.CODE),
        ("?C&:k&:" + "x" * 91, Kind.CODE),
        (f"\ufeff{CODE}\u200b", Kind.CODE),
        ("\u202aPAT-20261122-7K3M9QTD\u202c", Kind.REFERENCE),
        ("rx-20261122-7k3m9qtd", Kind.REFERENCE),
        ("PAT-20261122-7K3M9QTD", Kind.REFERENCE),
        ("RX202611227K3M9QTD", Kind.REFERENCE),
        ("/tmp/code.PNG", Kind.PICTURE),
        ("'scan 1.jpg'", Kind.PICTURE),
    ],
)
def test_a_line_at_the_counter(text: str, kind: Kind) -> None:
    assert entries.read_entry(text).kind is kind


@cells("writing", WRITINGS)
def test_number_is_recognised_however_it_is_written(writing: str) -> None:
    for number in ("RX-20261122-7K3M9QTD", "PAT-2O261122-7K3M9QTD"):
        assert entries.read_entry(WRITINGS[writing](number)).kind is Kind.REFERENCE


def test_picture_that_is_named_after_a_number_is_a_picture() -> None:
    assert entries.read_entry("RX-20261122-7K3M9QTD.png").kind is Kind.PICTURE


@pytest.mark.parametrize("text", ["", "hello", "RX-1", "4006381333931"])
def test_what_names_nothing(text: str) -> None:
    with pytest.raises(EntryWrong):
        entries.read_entry(text)


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        *(
            ("", "20"),
            ("20", "20"),
            (" 3 ", "3"),
            ("0", ""),
            ("5+15", "5 15"),
            ("2,5 + 0.125", "2.5 0.125"),
            ("2,0", "2"),
            ("2.00", "2"),
            ("2,5", "2.5"),
            ("1.5", "1.5"),
        ),
        *(("2.125", "2.125"), ("0,125", "0.125"), ("\u200b7", "7")),
    ],
)
def test_quantity_with_point_or_comma_is_read(text: str, quantities: str) -> None:
    assert entries.read_quantities(text, Decimal(20)) == tuple(map(Decimal, quantities.split()))


@pytest.mark.parametrize(
    "text",
    [
        "21",
        "5+16",
        "5+",
        "5+0",
        "+5",
        "20.001",
        "-1",
        "1,000",
        "1.000",
        "1,250",
        "2.0005",
        "20,",
        ",0",
        "1e1",
        "21,0",
        "all",
        CODE,
    ],
)
def test_quantity_out_of_range_or_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(EntryWrong, match=r"Enter a number from 0 to 20, with at most three decimal places\."):
        entries.read_quantities(text, Decimal(20))


@pytest.mark.parametrize(("text", "price"), [("12.50", "12.50"), ("12,5", "12.5"), ("0", "0"), ("1000000", "1000000")])
def test_prices(text: str, price: str) -> None:
    assert entries.read_price(text) == Decimal(price)


@pytest.mark.parametrize("text", ["", "1.234", "-1", "1000000.01", "NaN", "Infinity", "1,000.50", CODE])
def test_prices_that_cannot_be(text: str) -> None:
    with pytest.raises(EntryWrong):
        entries.read_price(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2031-12-31", date(2031, 12, 31)),
        ("02/2028", date(2028, 2, 29)),
        ("2.2027", date(2027, 2, 28)),
        ("2028-01", date(2028, 1, 31)),
        ("01/2028", date(2028, 1, 31)),
    ],
)
def test_days(text: str, day: date) -> None:
    assert entries.read_day(text) == day


@pytest.mark.parametrize("text", ["", "31.12.2031", "13/2031", "2031-02-30", "12/31"])
def test_days_that_cannot_be(text: str) -> None:
    with pytest.raises(EntryWrong):
        entries.read_day(text)


@pytest.mark.parametrize("text", ["", "  ", CODE])
def test_a_code_scanned_into_the_batch_is_noticed(text: str) -> None:
    with pytest.raises(EntryWrong):
        entries.read_batch(text)


def test_a_line_of_a_script_comes_back_as_it_was_written() -> None:
    line = entries.read_line("2:3:0.85:B-1:12/2031", ITEMS)
    assert line == DispenseLine("item-2", 3, Decimal("0.85"), "B-1", date(2031, 12, 31))
    part = entries.read_line("1:2,5:0.85:B-1:12/2031", ITEMS)
    assert part == DispenseLine("item-1", None, Decimal("0.85"), "B-1", date(2031, 12, 31), Decimal("2.5"))
    scanned = entries.read_line("1:2:0.85:(01)04012345678901(17)280100(10)A:1", ITEMS)
    assert scanned == DispenseLine(
        "item-1", 2, Decimal("0.85"), "A:1", date(2028, 1, 31), product_code="04012345678901"
    )
    coded = entries.read_line("1:2:0.85:A-1:01/2028:04012345678901", ITEMS)
    lines = (line, part, coded)
    assert [entries.read_line(entries.written_line(one), ()) for one in lines] == list(lines)


@pytest.mark.parametrize(
    "text",
    ["1:2:3", "3:1:1:B:12/2031", "0:1:1:B:12/2031", "1:0:1:B:12/2031", "1:x:1:B:12/2031", "1:1:1:(01)04012345678901"],
)
def test_lines_that_cannot_be(text: str) -> None:
    with pytest.raises(EntryWrong):
        entries.read_line(text, ITEMS)


def test_a_substitute_of_a_script_comes_back_as_it_was_written() -> None:
    item_id, given = entries.read_substitute("2:Generic 500 : Not in stock: since May", ITEMS)
    assert (item_id, given) == ("item-2", ("Generic 500", "Not in stock: since May"))
    line = entries.read_line("2:3:0.85:B-1:12/2031", ITEMS).instead(*given)
    assert entries.read_substitute(entries.written_substitute(line), ()) == (item_id, given)


@pytest.mark.parametrize("text", ["", "2", "2:Generic", "2::why", "2:Generic: ", "3:Generic:Not in stock."])
def test_substitutes_that_cannot_be(text: str) -> None:
    with pytest.raises(EntryWrong):
        entries.read_substitute(text, ITEMS)


def test_a_picture_of_a_code_is_read(tmp_path: Path) -> None:
    path = tmp_path / "code.png"
    path.write_bytes(picture.png(CODE))
    assert read_picture(path) == CODE


@pytest.mark.parametrize("content", ["blank", "text", "missing", "foreign"])
def test_other_pictures_are_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "picture.png"
    if content == "blank":
        Image.new("L", (100, 100), 255).save(path)
    elif content == "text":
        path.write_text("no picture")
    elif content == "foreign":
        path.write_bytes(picture.png("https://example.org"))
    with pytest.raises(EntryWrong):
        read_picture(path)
