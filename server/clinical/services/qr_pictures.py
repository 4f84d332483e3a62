"""Pictures of QR codes, drawn in worker threads and cached."""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from typing import Final

from server.qr import picture

KEPT: Final = 1000
"""Number of cached pictures, of one or two kilobytes each."""


class QrPictures:
    """LRU cache of pictures, by the hash of their code.

    A picture gives access to its prescription, so it is kept only in this process's memory.
    """

    def __init__(self, executor: Executor, kept: int = KEPT) -> None:
        self._executor = executor
        self._kept = kept
        self._pictures: OrderedDict[str, bytes] = OrderedDict()

    async def png(self, qr_hash: str, text: str) -> bytes:
        """Returns the PNG of the code with this hash and text."""
        drawn = self._pictures.get(qr_hash)
        if drawn is None:
            drawn = await asyncio.get_running_loop().run_in_executor(self._executor, picture.png, text)
            self._pictures[qr_hash] = drawn
        self._pictures.move_to_end(qr_hash)
        while len(self._pictures) > self._kept:
            self._pictures.popitem(last=False)
        return drawn
