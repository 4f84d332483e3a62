"""Graceful degradation: while no worker sends mails, a serving process does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import structlog

from server import background
from server.db.unit_of_work import UnitOfWork
from server.errors import Unavailable
from server.mailer.storage.queue import EmailQueue

SILENCE_SECONDS: Final = 30.0
"""So long it waits for a worker at first; and so long a worker may be silent before it counts as dead."""
LOOK_SECONDS: Final = 5.0
"""How often it looks whether a worker lives."""

_log = structlog.get_logger()


class FallbackWorker:
    """Stands by in a serving process. `sending`: does a worker's work while its block runs."""

    def __init__(self, work: UnitOfWork, sending: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._work = work
        self._sending = sending
        self._stop = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Stand in whenever it is needed, until the block is left; then finish what is in hand. For one use."""
        async with background.running(self._watch(), self._stop.set):
            yield

    async def _watch(self) -> None:
        await background.set_within(self._stop, SILENCE_SECONDS)
        while not self._stop.is_set():
            if await self._is_needed():
                _log.warning("standing_in_for_mail_worker")
                async with self._sending():
                    while not self._stop.is_set() and await self._is_needed():
                        await background.set_within(self._stop, LOOK_SECONDS)
                _log.info("mail_worker_is_back")
            await background.set_within(self._stop, LOOK_SECONDS)

    async def _is_needed(self) -> bool:
        try:
            async with self._work.read() as tx:
                return not await tx[EmailQueue].is_worked()
        except Unavailable:
            return False
