"""Tells admins within a minute about accounts of staff that were shown the data of many patients."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from server import background
from server.auth.events import ManyPatientsRead
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.admins import AdminRepository
from server.auth.storage.read_alerts import ReadAlertRepository
from server.db.unit_of_work import UnitOfWork
from server.events.storage.events import EventRepository

PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger()


class ReadAlertJob:
    """Reports each alert once, by an email to every admin and a line of the log.

    Any number of processes may run it at once. done: called after each round.
    """

    def __init__(self, work: UnitOfWork, done: Callable[[], Awaitable[None]] = background.unwatched) -> None:
        self._work = work
        self._done = done

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the job now and every 30 s until the block is left."""
        work = background.repeat(self._round, every=PAUSE_SECONDS, failed="read_alerts_failed")
        async with background.running(work):
            yield

    async def report(self) -> None:
        """Reports the alerts that no process has reported yet. Raises Unavailable."""
        async with self._work.begin() as tx:
            alerts = await tx[ReadAlertRepository].take_unreported()
            admins = await tx[AdminRepository].active() if alerts else ()
            for alert in alerts:
                reader = await tx[AccountRepository].get(alert.account_id)
                await tx[EventRepository].record(ManyPatientsRead(reader, alert.patients, admins))
        for alert in alerts:
            _log.warning("many_patients_read", account_id=str(alert.account_id), patients=alert.patients)

    async def _round(self) -> None:
        await self.report()
        await self._done()
