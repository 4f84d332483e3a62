"""Pictures of QR texts: PNG for emails and screens, half blocks for a terminal.

qrcode places the modules one by one, in three milliseconds. Here they follow a layout that is learnt from qrcode once
per size of the code, and a picture takes a third of a millisecond. That is pure Python, which holds the interpreter
lock, so callers on the event loop run it in a worker thread and cache the result. The same text always gives the same
picture.
"""

import base64
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, Literal

from qrcode.main import QRCode
from qrcode.util import QRData

from server.qr.codewords import LEVEL, codewords, data_of

QUIET_ZONE_MODULES: Final = 4
WIDTH_PIXELS: Final = 450

_MASK: Final = 2  # any mask is legal (ISO/IEC 18004); choosing the best of all eight takes three times longer
_BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"
_RESET: Final = "\x1b[0m"
_HALF_BLOCKS: Final = {"00": " ", "10": "▀", "01": "▄", "11": "█"}
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_UNFILTERED: Final = b"\x00"
_SAME_AS_ABOVE: Final = b"\x02"
"""The filter "Up" of a PNG row: its bytes are differences from the row above."""
_COMPRESSION: Final = 3  # higher levels save a fifth of a kilobyte and take several times longer
_FLIPPED: Final = str.maketrans("01", "10")


def png(text: str) -> bytes:
    """Returns a black and white PNG, up to 450 pixels square, with error correction M and a quiet zone."""
    rows = _modules(text)
    scale = max(1, WIDTH_PIXELS // len(rows))
    side = len(rows) * scale
    row_bytes = (side + 7) // 8
    repeated = (_SAME_AS_ABOVE + bytes(row_bytes)) * (scale - 1)
    lines = b"".join(_UNFILTERED + _widened(row, scale)[:row_bytes] + repeated for row in rows)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # one bit per pixel, grey, not interlaced
    chunks = _chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines, _COMPRESSION)), _chunk(b"IEND", b"")
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


def _widened(row: str, scale: int) -> bytes:
    """Returns the pixels of a row of modules, `scale` pixels each, eight pixels a byte."""
    row_bytes = (len(row) + 7) // 8
    modules = int(row.ljust(row_bytes * 8, "0"), 2).to_bytes(row_bytes, "big")
    return b"".join(map(_eight_modules(scale).__getitem__, modules))


@lru_cache
def _eight_modules(scale: int) -> tuple[bytes, ...]:
    """Returns the pixels of each combination of eight modules; in a grey PNG, 0 is black."""
    pixel = {"1": "0" * scale, "0": "1" * scale}
    bits = ("".join(pixel[module] for module in f"{modules:08b}") for modules in range(256))
    return tuple(int(eight, 2).to_bytes(scale, "big") for eight in bits)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _modules(text: str) -> list[str]:
    """Returns the rows of modules ("1" is dark), including the quiet zone."""
    data = data_of(text)
    layout = _layout(_version(data.mode, data.count))
    placed = codewords(data, layout.version)
    bits = f"{int.from_bytes(placed, 'big'):0{len(placed) * 8}b}"
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
def _version(mode: Literal[2, 4], count: int) -> int:
    """Returns the smallest version that holds this number of characters or bytes."""
    code = QRCode(error_correction=LEVEL)
    code.add_data(QRData(b"0" * count, mode, check_data=False))
    return int(code.best_fit())


@lru_cache
def _layout(version: int) -> _Layout:
    """Returns the layout of a version, learnt from codes that qrcode draws.

    In a code of zero bits, a dark module is a pattern or a masked bit. Each further code contains one binary digit of
    every bit's number, counted from 1, so the modules that change between them spell the number of their bit.
    """
    count = 8 * len(codewords(data_of(""), version))
    blank = _drawn(version, 0, count)
    numbers = [0] * len(blank)
    for digit in range(count.bit_length()):
        digits = sum(((number >> digit) & 1) << (count - number) for number in range(1, count + 1))
        for module, (before, after) in enumerate(zip(blank, _drawn(version, digits, count), strict=True)):
            numbers[module] |= (before is not after) << digit
    light, dark = 2 * count, 2 * count + 1
    patterns = (dark if module else light for module in blank)
    bits = (number - 1 + count * module for number, module in zip(numbers, blank, strict=True))
    sources = [bit if number else pattern for number, bit, pattern in zip(numbers, bits, patterns, strict=True)]
    return _Layout(version, version * 4 + 17 + 2 * QUIET_ZONE_MODULES, itemgetter(*sources))


def _drawn(version: int, bits: int, count: int) -> list[bool]:
    """Returns the modules, row by row, that qrcode draws for codewords of these `count` bits."""
    code = QRCode(version, LEVEL, border=QUIET_ZONE_MODULES, mask_pattern=_MASK)
    code.data_cache = list(bits.to_bytes(count // 8, "big"))
    code.makeImpl(False, _MASK)
    return [bool(module) for row in code.get_matrix() for module in row]
