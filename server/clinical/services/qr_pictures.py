"""Pictures of QR codes, drawn in worker threads and cached."""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from threading import Lock
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
        self._one_at_a_time = Lock()

    async def png(self, qr_hash: str, text: str) -> bytes:
        """Returns the PNG of the code with this hash and text; draws it in a worker thread."""
        kept = self._look_up(qr_hash)
        if kept is not None:
            return kept
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.png_here, qr_hash, text)

    def png_here(self, qr_hash: str, text: str) -> bytes:
        """Returns the same, drawn in the caller's thread, which is not that of the event loop."""
        drawn = self._look_up(qr_hash) or picture.png(text)
        with self._one_at_a_time:
            self._pictures[qr_hash] = drawn
            while len(self._pictures) > self._kept:
                self._pictures.popitem(last=False)
        return drawn

    def _look_up(self, qr_hash: str) -> bytes | None:
        with self._one_at_a_time:
            kept = self._pictures.get(qr_hash)
            if kept is not None:
                self._pictures.move_to_end(qr_hash)
            return kept
