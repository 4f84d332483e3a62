"""Pictures of QR codes, drawn in worker threads and kept for a while."""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from typing import Final

from server.qr import picture

KEPT: Final = 1000
"""So many pictures are kept, of one or two kilobytes each."""


class QrPictures:
    """The pictures that were asked for last, by the hash of their code.

    A picture opens its prescription: it is kept in this process's memory and nowhere else.
    """

    def __init__(self, executor: Executor, kept: int = KEPT) -> None:
        self._executor = executor
        self._kept = kept
        self._pictures: OrderedDict[str, bytes] = OrderedDict()

    async def png(self, qr_hash: str, text: str) -> bytes:
        """The PNG of the code with that hash, which has that text."""
        drawn = self._pictures.get(qr_hash)
        if drawn is None:
            drawn = await asyncio.get_running_loop().run_in_executor(self._executor, picture.png, text)
            self._pictures[qr_hash] = drawn
        self._pictures.move_to_end(qr_hash)
        while len(self._pictures) > self._kept:
            self._pictures.popitem(last=False)
        return drawn
