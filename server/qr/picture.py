"""Pictures of QR texts: PNG for emails and screens, half blocks for a terminal.

qrcode encodes the text and corrects its errors. Placing and drawing the modules one by one, as qrcode and Pillow do,
takes four fifths of the time; here both follow a layout that is learnt from qrcode once per size of the code. It still
takes a millisecond of pure Python and holds the interpreter lock, so callers on the event loop run it in a worker
thread and cache the result. The same text always gives the same picture.
"""

import base64
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, Literal

from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode
from qrcode.util import QRData, create_data

QUIET_ZONE_MODULES: Final = 4
WIDTH_PIXELS: Final = 450

_BYTE_MODE: Final[Literal[4]] = 4  # holds any text; qrcode would also try the modes for digits and capitals
_MASK: Final = 2  # any mask is legal (ISO/IEC 18004); choosing the best of all eight takes three times longer
_BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"
_RESET: Final = "\x1b[0m"
_HALF_BLOCKS: Final = {"00": " ", "10": "▀", "01": "▄", "11": "█"}
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_UNFILTERED: Final = b"\x00"
_SAME_AS_ABOVE: Final = b"\x02"
"""The filter "Up" of a PNG row: its bytes are differences from the row above."""
_FLIPPED: Final = str.maketrans("01", "10")


def png(text: str) -> bytes:
    """Returns a black and white PNG, up to 450 pixels square, with error correction M and a quiet zone."""
    rows = _modules(text)
    scale = max(1, WIDTH_PIXELS // len(rows))
    side = len(rows) * scale
    widened = str.maketrans({"1": "0" * scale, "0": "1" * scale})  # in a grey PNG, 0 is black
    row_bytes = (side + 7) // 8
    unused_bits = row_bytes * 8 - side
    repeated = (_SAME_AS_ABOVE + bytes(row_bytes)) * (scale - 1)
    pixels = (int(row.translate(widened), 2) << unused_bits for row in rows)
    lines = b"".join(_UNFILTERED + row.to_bytes(row_bytes, "big") + repeated for row in pixels)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # one bit per pixel, grey, not interlaced
    chunks = _chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b"")
    return _PNG_SIGNATURE + b"".join(chunks)


def data_url(png: bytes) -> str:
    """Returns the PNG as a ``data:`` URL for an ``<img>``."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def terminal(text: str) -> str:
    """Returns a drawing of half blocks, two modules per character, that a phone can scan from a terminal.

    It sets its own colours, so that it is readable on dark terminals too, and resets them at the end of every line.
    """
    rows = _modules(text)
    if len(rows) % 2:
        rows.append("0" * len(rows))
    lines = (
        "".join(_HALF_BLOCKS[upper + lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in lines)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _modules(text: str) -> list[str]:
    """Returns the rows of modules ("1" is dark), including the quiet zone."""
    data = QRData(text.encode(), _BYTE_MODE, check_data=False)
    layout = _layout(_version(len(data)))
    codewords = bytes(create_data(layout.version, ERROR_CORRECT_M, [data]))
    bits = f"{int.from_bytes(codewords, 'big'):0{len(codewords) * 8}b}"
    modules = "".join(layout.pick(f"{bits}{bits.translate(_FLIPPED)}01"))
    return [modules[start : start + layout.side] for start in range(0, len(modules), layout.side)]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The position of every bit in the codes of one version.

    pick: returns the modules, row by row, from the bits of the codewords, the same bits flipped, "0" and "1".
    """

    version: int
    side: int
    pick: Callable[[str], Sequence[str]]


@lru_cache
def _version(length: int) -> int:
    """Returns the smallest version that holds this number of bytes."""
    code = QRCode(error_correction=ERROR_CORRECT_M)
    code.add_data(QRData(bytes(length), _BYTE_MODE, check_data=False))
    return int(code.best_fit())


@lru_cache
def _layout(version: int) -> _Layout:
    """Returns the layout of a version, learnt from codes that qrcode draws.

    In a code of zero bits, a dark module is a pattern or a masked bit. Each further code contains one binary digit of
    every bit's number, counted from 1, so the modules that change between them spell the number of their bit.
    """
    count = len(create_data(version, ERROR_CORRECT_M, [])) * 8
    blank = _drawn(version, 0, count)
    numbers = [0] * len(blank)
    for digit in range(count.bit_length()):
        codewords = sum(((number >> digit) & 1) << (count - number) for number in range(1, count + 1))
        for module, (before, after) in enumerate(zip(blank, _drawn(version, codewords, count), strict=True)):
            numbers[module] |= (before is not after) << digit
    light, dark = 2 * count, 2 * count + 1
    patterns = (dark if module else light for module in blank)
    bits = (number - 1 + count * module for number, module in zip(numbers, blank, strict=True))
    sources = [bit if number else pattern for number, bit, pattern in zip(numbers, bits, patterns, strict=True)]
    return _Layout(version, version * 4 + 17 + 2 * QUIET_ZONE_MODULES, itemgetter(*sources))


def _drawn(version: int, codewords: int, count: int) -> list[bool]:
    """Returns the modules, row by row, that qrcode draws for these codewords of `count` bits."""
    code = QRCode(version, ERROR_CORRECT_M, border=QUIET_ZONE_MODULES, mask_pattern=_MASK)
    code.data_cache = list(codewords.to_bytes(count // 8, "big"))
    code.makeImpl(False, _MASK)
    return [bool(module) for row in code.get_matrix() for module in row]
