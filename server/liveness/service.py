"""Reports successes of background work, and checks that each kind of work succeeds often enough.

Reports are stored in the database, so every serving process sees those of the worker, wherever it runs, and notices
when it has died. The lag of the seals is measured on the records themselves, independently of any report.
"""

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
from server.liveness.storage.backlogs import Backlog, BacklogRepository
from server.metrics import Metrics

REPORT_SECONDS: Final = 10.0
"""Shortest interval between two stored successes of the same work."""
LOOK_SECONDS: Final = 5.0
LONGEST_LAG_SECONDS: Final = 60.0
"""How long a record may wait for its seal, and an event for its position: usually half a second, and up to 15 s while
an older transaction runs."""
AUDIT: Final = "medconnect.audit"
"""The health service of the audit chain: NOT_SERVING when records are not sealed or heads not kept."""
WORK: Final = "medconnect.background"
"""The health service of all other background work: NOT_SERVING when some is dead or the feed lags."""

_log = structlog.get_logger()


class BackgroundTask(StrEnum):
    """Work that runs without a caller, in any process; its values are stored, and are labels of metrics."""

    SEALING = "sealing"
    HEADS = "audit_heads"
    EVENTS = "events"
    EXPIRY = "lapses"
    RETENTION = "housekeeping"
    READ_ALERTS = "read_alerts"
    EMAILS = "emails"


LONGEST_SILENCE: Final[Mapping[BackgroundTask, float]] = {
    BackgroundTask.SEALING: 60,
    BackgroundTask.HEADS: 60,
    BackgroundTask.EVENTS: 60,
    BackgroundTask.EXPIRY: 120,
    BackgroundTask.RETENTION: 1800,
    BackgroundTask.READ_ALERTS: 120,
    BackgroundTask.EMAILS: 60,
}
"""Seconds without a success after which work counts as dead.

A serving process takes over from a dead worker within 40 s; then only the log shows the failure.
"""
_OF_AUDIT: Final = frozenset({BackgroundTask.SEALING, BackgroundTask.HEADS})


class Reports:
    """Stores the successes of this process's background work."""

    def __init__(self, work: UnitOfWork, clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._reported: dict[BackgroundTask, float] = {}

    def of(self, task: BackgroundTask) -> Callable[[], Awaitable[None]]:
        """Returns the callback that the work calls after each success; it raises Unavailable."""
        return partial(self._succeeded, task)

    async def _succeeded(self, task: BackgroundTask) -> None:
        now = self._clock.monotonic()
        if now - self._reported.get(task, -REPORT_SECONDS) < REPORT_SECONDS:
            return
        async with self._work.begin() as tx:
            await tx[LivenessRepository].succeeded(task)
        self._reported[task] = now


class BackgroundWatch:
    """Checks every five seconds whether all background work succeeds.

    report: called for each health service with its name and whether it is serving.
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
        self._oldest = (-1, self._began)
        """The oldest open transaction, and since when it is known to be open."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Checks repeatedly until the block is left."""
        work = background.repeat(self.look, every=LOOK_SECONDS, failed="background_work_not_checked")
        async with background.running(work):
            yield

    async def look(self) -> None:
        """Measures once and updates metrics and health. Raises Unavailable."""
        async with self._work.read() as tx:
            ages = await tx[LivenessRepository].ages()
            lag = await tx[SealRepository].lag()
            backlog = await tx[BacklogRepository].measure()
        up = self._clock.monotonic() - self._began  # silence before this process started does not count
        silence = {task.value: min(ages.get(task, up), up) for task in BackgroundTask}
        dead = {task for task, longest in LONGEST_SILENCE.items() if silence[task] > longest}
        behind = min(lag, up) > LONGEST_LAG_SECONDS
        feed_behind = min(backlog.feed_lag, up) > LONGEST_LAG_SECONDS
        self._metrics.background_seen(silence, dead, lag)
        self._metrics.backlog_seen(_gauges(backlog), self._transaction_age(backlog))
        if backlog.backup_behind is not None:
            self._metrics.backup_seen(backlog.backup_behind, backlog.backup_stopped)
        lags = {name for name, lags in (("seal_lag", behind), ("feed_lag", feed_behind)) if lags}
        self._log_changes(frozenset({*dead, *lags}))
        await self._report(AUDIT, not (dead & _OF_AUDIT or behind))
        await self._report(WORK, not (dead - _OF_AUDIT or feed_behind))

    def _transaction_age(self, backlog: Backlog) -> float:
        """Returns for how many seconds at least the oldest open transaction has been seen; 0 while none is open.

        Only roles with pg_read_all_stats may read when other accounts' transactions began, so this is measured.
        """
        now = self._clock.monotonic()
        if backlog.oldest_transaction == backlog.next_transaction:
            self._oldest = backlog.next_transaction, now
        elif backlog.oldest_transaction != self._oldest[0]:
            self._oldest = backlog.oldest_transaction, now
        return now - self._oldest[1]

    def _log_changes(self, dead: frozenset[str]) -> None:
        if dead != self._dead:
            log = _log.error if dead else _log.info
            log("background_work", dead=sorted(dead), back=sorted(self._dead - dead))
            self._dead = dead


def _gauges(backlog: Backlog) -> Mapping[str, float]:
    """Returns the values of the backlog by the names of Metrics."""
    return {
        "feed_lag_seconds": backlog.feed_lag,
        "feed_waiting": backlog.feed_waiting,
        "audit_unsealed": backlog.unsealed,
        "emails_pending": backlog.pending,
        "emails_processing": backlog.processing,
        "emails_failed": backlog.failed,
        "emails_oldest_pending_seconds": backlog.oldest_email,
        "email_workers": backlog.workers,
        "email_circuits_open": backlog.circuits_open,
        "database_xid_age": backlog.xid_age,
        "many_patients_read": backlog.read_alerts,
    }
