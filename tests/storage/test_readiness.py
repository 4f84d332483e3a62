"""Tests that health follows what calls need: each fault is a real one of the database, the account or the clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from grpc_health.v1.health_pb2 import HealthCheckRequest
from sqlalchemy import make_url

from server.api.health import NOT_SERVING, SERVING, Health
from server.api.health_probe import LIVENESS
from server.clock import Clock
from server.db.engine import connector
from server.db.pool import Pool
from server.db.unit_of_work import UnitOfWork
from server.errors import ServerBusy
from server.liveness.readiness import Readiness
from server.runtime.server import SERVICES
from server.runtime.storage import schema
from tests.fixtures.database import as_owner
from tests.fixtures.proofs import requirement

NOWHERE: Any = None  # the health service does not use its context


class Wrong:
    """A clock that can be wrong, and how wrong the last check found it."""

    def __init__(self) -> None:
        self.by = timedelta()
        self.noticed: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.fixture
def wrong() -> Wrong:
    return Wrong()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.api.health.INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr("server.api.health.RECOVERY_SECONDS", 0.05)


@asynccontextmanager
async def watched(url: str, wrong: Wrong) -> AsyncIterator[Health]:
    """Yields the health of a server on a database."""
    pool = Pool(connector(url, application="medconnect-health"), 1, keep_seconds=0)
    readiness = Readiness(UnitOfWork(pool), Clock(now=wrong.now), schema.fault_of, wrong.noticed.append)
    health = Health(readiness.check, SERVICES)
    try:
        async with health.watching():
            yield health
    finally:
        await pool.close()


async def state(health: Health, name: str = "") -> int:
    return int((await health.servicer.Check(HealthCheckRequest(service=name), NOWHERE)).status)


async def becomes(health: Health, expected: int) -> None:
    async with asyncio.timeout(5):
        while await state(health) != expected:
            await asyncio.sleep(0.01)


def name_of(url: str) -> str:
    return str(make_url(url).database)


def only_reading(url: str) -> tuple[str, str]:
    change = f"ALTER DATABASE {name_of(url)} {{}} default_transaction_read_only"
    return change.format("SET") + " = on", change.format("RESET")


FAULTS: dict[str, tuple[Callable[[str], tuple[str, str]], str]] = {
    "read-only": (only_reading, "read-only"),
    "audit": (
        lambda _: ("ALTER TABLE audit_records RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO audit_records"),
        "lacks a table",
    ),
    "right": (
        lambda _: (
            "REVOKE INSERT (id) ON audit_records FROM medconnect_app",
            "GRANT INSERT (id) ON audit_records TO medconnect_app",
        ),
        "lacks a right",
    ),
    "old schema": (
        lambda _: (
            "UPDATE alembic_version SET version_num = '0023'",
            f"UPDATE alembic_version SET version_num = '{schema.head()}'",  # noqa: S608 - our own file's number
        ),
        "run `medconnect migrate`",
    ),
}


@requirement("R30")
@pytest.mark.parametrize("fault", FAULTS)
async def test_health_follows_each_need_of_calls(database_url: str, wrong: Wrong, fault: str) -> None:
    make, words = FAULTS[fault]
    breaks, mends = make(database_url)
    with structlog.testing.capture_logs() as logged:
        async with watched(database_url, wrong) as health:
            assert [await state(health, name) for name in ("", *SERVICES)] == [SERVING] * (1 + len(SERVICES))
            await as_owner(database_url, breaks)
            await becomes(health, NOT_SERVING)
            assert {await state(health, name) for name in SERVICES} == {NOT_SERVING}
            assert await state(health, LIVENESS) == SERVING
            await asyncio.sleep(0.3)
            await as_owner(database_url, "SET default_transaction_read_only = off", mends)
            await becomes(health, SERVING)
    assert [line["event"] for line in logged] == ["not_ready", "ready_again"]
    assert words in logged[0]["reason"]
    assert logged[1]["reason"].startswith("ready again after ")


@requirement("R41")
@pytest.mark.parametrize("minutes", [-10, 10])
async def test_health_follows_this_machines_clock(shared_database_url: str, wrong: Wrong, minutes: int) -> None:
    async with watched(shared_database_url, wrong) as health:
        wrong.by = timedelta(minutes=minutes)
        await becomes(health, NOT_SERVING)
        assert wrong.noticed[-1] == pytest.approx(60 * minutes, abs=5)
        wrong.by = timedelta(seconds=30)
        await becomes(health, SERVING)


@requirement("R30")
async def test_no_error_of_a_check_ends_the_watch() -> None:
    outcome: list[BaseException | None] = [None]

    async def check() -> None:
        if outcome[0] is not None:
            raise outcome[0]

    health = Health(check)
    async with health.watching():
        await becomes(health, SERVING)
        for error in (RuntimeError("a patient's name"), asyncio.InvalidStateError(), ValueError()):
            outcome[0] = error
            await becomes(health, NOT_SERVING)
            outcome[0] = None
            await becomes(health, SERVING)


async def test_a_busy_database_changes_no_state() -> None:
    busy: list[bool] = [False]

    async def check() -> None:
        if busy[0]:
            raise ServerBusy()

    health = Health(check)
    async with health.watching():
        busy[0] = True
        await asyncio.sleep(0.2)
        assert await state(health) == SERVING


async def test_a_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.api.health.CHECK_SECONDS", 0.05)
    health = Health(asyncio.Event().wait)  # type: ignore[arg-type] # never returns
    async with health.watching():
        assert await state(health) == NOT_SERVING
        assert await state(health, LIVENESS) == SERVING


async def test_draining_reports_all_services_but_stays_alive(shared_database_url: str, wrong: Wrong) -> None:
    async with watched(shared_database_url, wrong) as health:
        await health.drain()
        await asyncio.sleep(0.2)
        assert {await state(health, name) for name in ("", *SERVICES)} == {NOT_SERVING}
        assert await state(health, LIVENESS) == SERVING
