"""Tests that the log and the metrics state why the database failed, and never what a row holds."""

from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
import structlog
from sqlalchemy import text

from server.db.engine import create_pool
from server.db.failure_log import FailureLog
from server.db.unit_of_work import UnitOfWork
from server.errors import DatabaseUnavailable, ServerBusy
from server.metrics import Metrics
from server.runtime.work import unit_of_work


class Observed:
    """A unit of work whose failures are noted, at a time that stands still until it is moved."""

    def __init__(self, url: str, pool_size: int = 1) -> None:
        self.metrics = Metrics()
        self.now = 0.0
        self.pool = create_pool(url, pool_size=pool_size, role=None)
        failed = FailureLog(self.metrics, lambda: self.now).note
        self.work: UnitOfWork = unit_of_work(self.pool, failed=failed)

    def count(self, kind: str, sqlstate: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "medconnect_database_failures_total", {"kind": kind, "sqlstate": sqlstate}
        )


@pytest.fixture
async def observed(shared_database_url: str) -> AsyncIterator[Observed]:
    observed = Observed(shared_database_url)
    yield observed
    await observed.pool.close()


async def fail(work: UnitOfWork, *statements: str) -> None:
    async with work.begin() as tx:
        for statement in statements:
            await tx.connection.execute(text(statement))


@contextmanager
def failures() -> Iterator[list[MutableMapping[str, Any]]]:
    """Yields the lines about failures; an instance that other tests share may log its work at the same time."""
    noted: list[MutableMapping[str, Any]] = []
    with structlog.testing.capture_logs() as logged:
        yield noted
    noted.extend(line for line in logged if line["event"] == "database_failed")


READ_ONLY = ("SET TRANSACTION READ ONLY", "DELETE FROM users")


async def test_a_failure_is_logged_with_cause_class_and_sqlstate(observed: Observed) -> None:
    with failures() as logged, pytest.raises(DatabaseUnavailable):
        await fail(observed.work, *READ_ONLY)
    assert logged == [
        {
            "event": "database_failed",
            "log_level": "warning",
            "cause": "the database is read-only (ReadOnlySQLTransactionError 25006)",
            "kind": "ReadOnlySQLTransactionError",
            "sqlstate": "25006",
            "unlogged": 0,
        }
    ]
    assert observed.count("ReadOnlySQLTransactionError", "25006") == 1


async def test_an_outage_writes_one_line_a_second_and_counts_all(observed: Observed) -> None:
    with failures() as logged:
        for moment in (0.0, 0.1, 0.9, 1.0):
            observed.now = moment
            with pytest.raises(DatabaseUnavailable):
                await fail(observed.work, *READ_ONLY)
    assert [line["unlogged"] for line in logged] == [0, 2]
    assert observed.count("ReadOnlySQLTransactionError", "25006") == 4


async def test_a_busy_pool_and_a_busy_table_differ_in_the_log(observed: Observed) -> None:
    with failures() as logged:
        async with observed.work.begin() as tx:
            await tx.connection.execute(text("LOCK TABLE users"))
            with pytest.raises(ServerBusy):
                await fail(observed.work, "SELECT 1")
        async with observed.work.begin():
            pass
    assert [line["cause"] for line in logged] == ["no connection of the pool was free in time (ServerBusy)"]


async def test_the_log_never_quotes_a_row(observed: Observed) -> None:
    with failures() as logged, pytest.raises(asyncpg.PostgresError):
        await fail(observed.work, "INSERT INTO users (email) VALUES ('a.patient@example.org')")
    assert [line["kind"] for line in logged] == ["NotNullViolationError"]
    assert "patient" not in str(logged)
