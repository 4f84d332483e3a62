"""Purges expired data: regularly in the worker, and on command."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from server import background
from server.db.unit_of_work import UnitOfWork
from server.runtime.storage import purges
from server.runtime.storage.purges import PURGES, PurgeRepository

PAUSE_SECONDS: Final = 600.0

_log = structlog.get_logger()


class Retention:
    """Deletes data whose retention period has ended; any number of processes may do so concurrently.

    keep_mails: how long a finished email, and its changes, are kept. unconfirmed: how long an account that registered
    may wait for the confirmation of its address. done: called after each round.
    """

    def __init__(
        self,
        work: UnitOfWork,
        keep_mails: timedelta,
        unconfirmed: timedelta,
        done: Callable[[], Awaitable[None]] = background.unwatched,
    ) -> None:
        self._work = work
        self._done = done
        self._keep_mails = keep_mails
        self._unconfirmed = unconfirmed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Purges now and every ten minutes until the block is left."""
        work = background.repeat(self._round, every=PAUSE_SECONDS, failed="purge_failed")
        async with background.running(work):
            yield

    async def purge(self) -> Mapping[str, int]:
        """Runs every purge in batches, one transaction each; returns how many rows each deleted. Raises Unavailable."""
        deleted = dict.fromkeys(PURGES, 0)
        for name in PURGES:
            batch = purges.AT_ONCE
            while batch == purges.AT_ONCE:
                async with self._work.begin() as tx:
                    batch = await tx[PurgeRepository].purge(name, self._keep_mails, self._unconfirmed)
                deleted[name] += batch
        return deleted

    async def _round(self) -> None:
        deleted = await self.purge()
        await self._done()
        _log.info("purged", **{name.replace(" ", "_"): count for name, count in deleted.items() if count})
