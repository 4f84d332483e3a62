"""Reports successes of background work, and watches that each comes often enough.

The reports go through the database, so that any serving process sees the worker's, wherever that runs, and misses them
when it has died. The lag of the seals is measured on the records themselves: no report can hide it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from typing import Final

import structlog

from server import background
from server.audit.storage.seals import SealRepository
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.liveness.storage.background_tasks import LivenessRepository
from server.metrics import Metrics

REPORT_SECONDS: Final = 10.0
"""A success is stored once in this time."""
LOOK_SECONDS: Final = 5.0
LONGEST_LAG_SECONDS: Final = 60.0
"""How long a record may wait for its seal: half a second is usual, and a transaction that is older ends within 15 s."""
AUDIT: Final = "medconnect.audit"
"""The health service of the sealing: NOT_SERVING when records are not sealed or heads not kept."""
WORK: Final = "medconnect.background"
"""The health service of all other background work."""

_log = structlog.get_logger()


class BackgroundTask(StrEnum):
    """Work that is done without a caller, by whichever process does it."""

    SEALING = "sealing"
    HEADS = "audit_heads"
    EVENTS = "events"
    LAPSES = "lapses"
    HOUSEKEEPING = "housekeeping"
    EMAILS = "emails"


LONGEST_SILENCE: Final[Mapping[BackgroundTask, float]] = {
    BackgroundTask.SEALING: 60,
    BackgroundTask.HEADS: 60,
    BackgroundTask.EVENTS: 60,
    BackgroundTask.LAPSES: 120,
    BackgroundTask.HOUSEKEEPING: 1800,
    BackgroundTask.EMAILS: 60,
}
"""Seconds without a success after which work counts as dead.

A serving process takes a dead worker's place within 40 s: then nothing shows but the log.
"""
_OF_AUDIT: Final = frozenset({BackgroundTask.SEALING, BackgroundTask.HEADS})


class Reports:
    """Stores the successes of this process's background work."""

    def __init__(self, work: UnitOfWork, clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._reported: dict[BackgroundTask, float] = {}

    def of(self, task: BackgroundTask) -> Callable[[], Awaitable[None]]:
        """Returns what that work calls after each success. It raises Unavailable."""
        return partial(self._succeeded, task)

    async def _succeeded(self, task: BackgroundTask) -> None:
        now = self._clock.monotonic()
        if now - self._reported.get(task, -REPORT_SECONDS) < REPORT_SECONDS:
            return
        async with self._work.begin() as tx:
            await tx[LivenessRepository].succeeded(task)
        self._reported[task] = now


class BackgroundWatch:
    """Looks every five seconds whether all background work is done.

    report: is told of each health service whether it serves.
    """

    def __init__(
        self, work: UnitOfWork, clock: Clock, metrics: Metrics, report: Callable[[str, bool], Awaitable[None]]
    ) -> None:
        self._work = work
        self._clock = clock
        self._metrics = metrics
        self._report = report
        self._began = clock.monotonic()
        self._dead: frozenset[str] = frozenset()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks until the block is left."""
        async with background.running(self._repeat()):
            yield

    async def look(self) -> None:
        """Measures, and sets metrics and health. Raises Unavailable."""
        async with self._work.read() as tx:
            ages = await tx[LivenessRepository].ages()
            lag = await tx[SealRepository].lag()
        up = self._clock.monotonic() - self._began  # what happened before this start is not held against the work
        silence = {task.value: min(ages.get(task, up), up) for task in BackgroundTask}
        dead = {task for task, longest in LONGEST_SILENCE.items() if silence[task] > longest}
        behind = min(lag, up) > LONGEST_LAG_SECONDS
        self._metrics.background_seen(silence, dead, lag)
        self._log_changes(frozenset({*dead, *(["seal_lag"] if behind else [])}))
        await self._report(AUDIT, not (dead & _OF_AUDIT or behind))
        await self._report(WORK, not dead - _OF_AUDIT)

    def _log_changes(self, dead: frozenset[str]) -> None:
        if dead != self._dead:
            log = _log.error if dead else _log.info
            log("background_work", dead=sorted(dead), back=sorted(self._dead - dead))
            self._dead = dead

    async def _repeat(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # the health of the whole speaks of a database that is away
                _log.warning("background_work_not_seen", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)
