"""Pictures of QR texts: PNG for emails and screens, half blocks for a terminal.

Drawing takes milliseconds of pure Python and holds the interpreter lock, so callers on the event loop run it in a
worker thread and cache the result. The same text always gives the same picture.
"""

import base64
import io
from typing import Final

from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode

QUIET_ZONE_MODULES: Final = 4
WIDTH_PIXELS: Final = 450

_MASK: Final = 2  # any mask is legal (ISO/IEC 18004); choosing the best of all eight takes three times longer
_BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"
_RESET: Final = "\x1b[0m"
_HALF_BLOCKS: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def png(text: str) -> bytes:
    """Returns a black and white PNG, up to 450 pixels square, with error correction M and a quiet zone."""
    rows = _modules(text)
    side = len(rows)
    picture = Image.new("1", (side, side))
    picture.putdata([0 if dark else 255 for row in rows for dark in row])
    pixels = side * max(1, WIDTH_PIXELS // side)
    buffer = io.BytesIO()
    picture.resize((pixels, pixels), Image.Resampling.NEAREST).save(buffer, format="PNG")
    return buffer.getvalue()


def data_url(png: bytes) -> str:
    """Returns the PNG as a ``data:`` URL for an ``<img>``."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def terminal(text: str) -> str:
    """Returns a drawing of half blocks, two modules per character, that a phone can scan from a terminal.

    It sets its own colours, so that it is readable on dark terminals too, and resets them at the end of every line.
    """
    rows = _modules(text)
    if len(rows) % 2:
        rows.append([False] * len(rows))
    lines = (
        "".join(_HALF_BLOCKS[upper, lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in lines)


def _modules(text: str) -> list[list[bool]]:
    """Returns the rows of modules (True is dark), including the quiet zone."""
    code = QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE_MODULES, mask_pattern=_MASK)
    code.add_data(text, optimize=0)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]
