"""Graceful degradation: while no worker sends emails, a serving process does."""

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
"""The wait for a first worker; also the silence after which a worker counts as dead."""
LOOK_SECONDS: Final = 5.0
"""The interval of checks for a live worker."""

_log = structlog.get_logger()


class FallbackWorker:
    """The standby worker of a serving process. `sending`: a context manager that sends emails while its block runs."""

    def __init__(self, work: UnitOfWork, sending: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._work = work
        self._sending = sending
        self._stop = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sends emails whenever no worker does, until the block is left; then finishes claimed ones. For one use."""
        async with background.running(self._watch(), self._stop.set):
            yield

    async def _watch(self) -> None:
        await background.set_within(self._stop, SILENCE_SECONDS)
        while not self._stop.is_set():
            if await self._is_needed():
                _log.warning("fallback_worker_started")
                async with self._sending():
                    while not self._stop.is_set() and await self._is_needed():
                        await background.set_within(self._stop, LOOK_SECONDS)
                _log.info("fallback_worker_stopped")
            await background.set_within(self._stop, LOOK_SECONDS)

    async def _is_needed(self) -> bool:
        try:
            async with self._work.read() as tx:
                return not await tx[EmailQueue].is_worked()
        except Unavailable:
            return False
