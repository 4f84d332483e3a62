"""Tests QR pictures: a reader must decode the same text from each of them."""

import base64
import io
import re
from uuid import UUID

import pytest
import zxingcpp
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode

from server.qr import picture, signed_code
from server.qr.key_ring import QrKeyRing
from server.qr.signed_code import QrContent
from tests.fixtures.proofs import control

CONTENT = QrContent(UUID(int=2**127 + 1), UUID(int=2**126 + 3))
TEXT = signed_code.encode(CONTENT, bytes(12), "k1", QrKeyRing.parse(f"k1:{'an example secret ' * 2}"))
PNG = picture.png(TEXT)


def read(image: Image.Image) -> zxingcpp.Barcode:
    [barcode] = zxingcpp.read_barcodes(image)
    return barcode


def version(barcode: zxingcpp.Barcode) -> int:
    assert isinstance(barcode.extra, dict)
    return int(barcode.extra["Version"])


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@control("S43")
@pytest.mark.parametrize(("text", "most"), [(TEXT, 5), ("x" * signed_code.MAX_TEXT_LENGTH, 8)], ids=["code", "longest"])
def test_a_reader_gets_the_text_back_from_a_small_code(text: str, most: int) -> None:
    barcode = read(opened(picture.png(text)))
    assert barcode.text == text
    assert barcode.ec_level == "M"
    assert version(barcode) <= most


def test_picture_is_square_and_fits_email_and_screen() -> None:
    width, height = opened(PNG).size
    assert width == height
    assert 400 <= width <= 500
    assert len(PNG) < 3_000


def test_a_quiet_zone_of_four_modules_surrounds_the_code() -> None:
    image = opened(PNG)
    black = image.convert("L").point(lambda value: 255 - value)
    left, top, right, bottom = black.getbbox() or (0, 0, 0, 0)
    modules = 17 + 4 * version(read(image)) + 8
    margin = 4 * image.width // modules
    assert (left, top, image.width - right, image.height - bottom) == (margin,) * 4


@pytest.mark.parametrize("letters", ["aB3_", "B3$X"], ids=["bytes", "capitals"])
@pytest.mark.parametrize("length", [1, 14, 84, 85, 99, 106, 107, 121, 122, 123, 130, 180, 300, 311])
def test_picture_has_the_modules_that_qrcode_draws(length: int, letters: str) -> None:
    text = (letters * length)[:length]
    code = QRCode(error_correction=ERROR_CORRECT_M, border=4, mask_pattern=2)
    code.add_data(text, optimize=0)
    code.make(fit=True)
    drawn = [[255 * (not module) for module in row] for row in code.get_matrix()]
    image = opened(picture.png(text))
    scale = image.width // len(drawn)
    pixels = list(image.convert("L").get_flattened_data())
    rows = [pixels[start : start + image.width] for start in range(0, len(pixels), image.width)]
    assert rows == [[value for value in row for _ in range(scale)] for row in drawn for _ in range(scale)]


def test_the_same_text_gives_the_same_picture() -> None:
    assert picture.png(TEXT) == PNG


def test_the_data_url_holds_the_picture() -> None:
    scheme, _, payload = picture.data_url(PNG).partition(",")
    assert scheme == "data:image/png;base64"
    assert base64.b64decode(payload, validate=True) == PNG


def test_the_terminal_drawing_can_be_scanned() -> None:
    lines = picture.terminal(TEXT).split("\n")
    assert all(line.startswith("\x1b[") and line.endswith("\x1b[0m") for line in lines)
    cells = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    rows = [[character in half for character in line] for line in cells for half in ("▀█", "▄█")]
    drawing = Image.new("L", (len(rows[0]), len(rows)))
    drawing.putdata([0 if dark else 255 for row in rows for dark in row])
    assert read(drawing.resize((4 * drawing.width, 4 * drawing.height), Image.Resampling.NEAREST)).text == TEXT
