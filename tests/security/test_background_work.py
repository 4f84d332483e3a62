"""S95: background work that stops shows in the health service and the metrics, and stops no call."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from typing import cast as cast_to

import asyncpg
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2

from server.api.health import NOT_SERVING, SERVING, Health
from server.api.health_probe import LIVENESS
from server.audit.seal_worker import ChainAhead
from server.background import unwatched
from server.clock import Clock
from server.db.embedded.wal_archive import SLOT
from server.db.unit_of_work import UnitOfWork
from server.liveness.service import AUDIT, LONGEST_SILENCE, WORK, BackgroundTask, BackgroundWatch, Reports
from server.metrics import BACKLOG, Metrics
from server.queue_admin.sequencer import Sequencer
from server.runtime.server import SERVICES
from tests.fixtures.actors import Actors
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.proofs import control
from tests.security.test_audit_chain import FILL, UNGUARDED, a_sealer

LATER = 3600.0
FORGED = (
    *UNGUARDED,
    "INSERT INTO audit_seals (position, record_id, transaction_id, hash, sealed_at) SELECT position + 1,"
    " (SELECT id FROM audit_records WHERE id NOT IN (SELECT record_id FROM audit_seals) LIMIT 1),"
    " 9000000000000000000, hash, now() - interval '70 s' FROM audit_seals ORDER BY position DESC LIMIT 1",
)


class Observed:
    """The watch of a process that has been running for an hour, its health, and its metrics."""

    def __init__(self, work: UnitOfWork) -> None:
        self._passed = 0.0
        clock = Clock(now=lambda: datetime.now(UTC), monotonic=lambda: self._passed)
        self.metrics, self.health = Metrics(), Health(unwatched)
        self.reports = Reports(work, clock)
        self._watch = BackgroundWatch(work, clock, self.metrics, self.health.report)
        self._passed = LATER

    async def look(self) -> Mapping[str, int]:
        await self._watch.look()
        states, nowhere = {}, cast_to(Any, None)
        for service in (AUDIT, WORK):
            request = health_pb2.HealthCheckRequest(service=service)
            states[service] = (await self.health.servicer.Check(request, nowhere)).status
        return states

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
async def work(database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(database_url, owner=True) as work:
        yield work


@pytest.fixture
async def observed(work: UnitOfWork, database_url: str) -> Observed:
    """Returns the watch with all work done a moment ago."""
    observed = Observed(work)
    for task in BackgroundTask:
        await observed.reports.of(task)()
    await as_owner(
        database_url,
        "INSERT INTO mail_workers (id, seen_at, circuit_open, stands_in)"
        " VALUES (gen_random_uuid(), now(), false, false)",
    )
    return observed


async def silenced(url: str, task: BackgroundTask, seconds: float) -> None:
    table, column, where = ("background_tasks", "succeeded_at", f"name = '{task}'")
    if task is BackgroundTask.EMAILS:
        table, column, where = ("mail_workers", "seen_at", "true")
    await as_owner(url, f"UPDATE {table} SET {column} = now() - interval '{seconds} s' WHERE {where}")  # noqa: S608


@control("S95")
async def test_work_that_is_done_is_healthy(observed: Observed) -> None:
    assert await observed.look() == {AUDIT: SERVING, WORK: SERVING}
    for task in BackgroundTask:
        assert observed.metric("medconnect_background_works", task=task) == 1
    assert observed.metric("medconnect_audit_seal_lag_seconds") == 0


@control("S95")
@pytest.mark.parametrize("task", BackgroundTask)
async def test_work_that_is_dead_shows_and_comes_back(
    observed: Observed, database_url: str, task: BackgroundTask
) -> None:
    service = AUDIT if task in (BackgroundTask.SEALING, BackgroundTask.HEADS) else WORK
    longest = LONGEST_SILENCE[task]
    await silenced(database_url, task, longest - 5)
    assert await observed.look() == {AUDIT: SERVING, WORK: SERVING}
    await silenced(database_url, task, longest + 5)
    assert await observed.look() == {AUDIT: SERVING, WORK: SERVING} | {service: NOT_SERVING}
    assert observed.metric("medconnect_background_works", task=task) == 0
    assert (observed.metric("medconnect_background_silence_seconds", task=task) or 0) >= longest + 5
    await silenced(database_url, task, 0)
    assert await observed.look() == {AUDIT: SERVING, WORK: SERVING}


async def test_a_stopped_copy_of_the_write_ahead_log_shows(observed: Observed, database_url: str) -> None:
    await observed.look()
    assert observed.metric("medconnect_backup_stopped") is None, "without a backup folder nothing has stopped"
    await as_owner(database_url, f"SELECT pg_create_physical_replication_slot('{SLOT}', true)")
    try:
        await observed.look()
    finally:
        await as_owner(database_url, f"SELECT pg_drop_replication_slot('{SLOT}')")
    assert observed.metric("medconnect_backup_stopped") == 1
    assert (observed.metric("medconnect_backup_behind_bytes") or 0) > 0


@control("S95")
async def test_work_that_never_reported_is_dead_after_its_time(work: UnitOfWork) -> None:
    assert await Observed(work).look() == {AUDIT: NOT_SERVING, WORK: NOT_SERVING}


@control("S95")
async def test_an_open_transaction_shows_as_lag_of_the_feed(
    observed: Observed, work: UnitOfWork, database_url: str
) -> None:
    other = await asyncpg.connect(database_url)  # any database of the cluster would do
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT pg_current_xact_id()")
    unplaced = "INSERT INTO events (type, subject_id, details, occurred_at) VALUES ('x', gen_random_uuid(), '{}', {})"
    await as_owner(database_url, unplaced.replace("{})", "now() - interval '70 s')"))
    await observed.look()
    observed.pass_time(30)
    assert await observed.look() == {AUDIT: SERVING, WORK: NOT_SERVING}
    assert (observed.metric("medconnect_feed_lag_seconds") or 0) >= 70
    assert observed.metric("medconnect_feed_waiting") == 1
    assert observed.metric("medconnect_database_oldest_transaction_seconds") == 30
    await transaction.rollback()
    await other.close()
    await work_off(work)
    assert await observed.look() == {AUDIT: SERVING, WORK: SERVING}
    assert observed.metric("medconnect_feed_lag_seconds") == 0
    assert (observed.metric("medconnect_database_oldest_transaction_seconds") or 0) < 30


async def work_off(work: UnitOfWork) -> None:
    while await Sequencer(work, lambda: None).assign_positions():
        await asyncio.sleep(0.05)


async def test_waiting_emails_and_records_are_measured(observed: Observed, database_url: str) -> None:
    await as_owner(
        database_url,
        "INSERT INTO users (id, email, password_hash, full_name, name_words, role, status)"
        " VALUES (gen_random_uuid(), 'a@example.com', 'x', 'A', 'a', 'admin', 'active')",
        "INSERT INTO emails (id, kind, recipient_id, recipient, state, lease_expires_at, finished_at, queued_at)"
        " SELECT gen_random_uuid(), 'test', users.id, 'a', state, lease, finished, now() - interval '90 s' FROM users,"
        " (VALUES ('pending', NULL, NULL), ('pending', NULL, NULL), ('processing', now(), NULL),"
        " ('failed', NULL, now()), ('completed', NULL, now())) AS each (state, lease, finished)",
        "UPDATE mail_workers SET circuit_open = true",
        FILL.format(3),
        *UNGUARDED,
    )
    await observed.look()
    found = {name: observed.metric(f"medconnect_{name}") for name in BACKLOG}
    assert (found["emails_pending"], found["emails_processing"], found["emails_failed"]) == (2, 1, 1)
    assert 90 <= (found["emails_oldest_pending_seconds"] or 0) < 150
    assert (found["email_workers"], found["email_circuits_open"], found["audit_unsealed"]) == (1, 1, 3)
    assert found["database_xid_age"] or 0 > 0


@control("S95")
async def test_lag_is_measured_on_the_records(observed: Observed, work: UnitOfWork, database_url: str) -> None:
    await as_owner(database_url, FILL.format(3), *UNGUARDED)
    await as_owner(database_url, "UPDATE audit_records SET occurred_at = now() - interval '61 s'")
    assert await observed.look() == {AUDIT: NOT_SERVING, WORK: SERVING}
    lag = observed.metric("medconnect_audit_seal_lag_seconds")
    assert lag is not None
    assert 61 <= lag < 90
    await a_sealer(work).seal()
    assert await observed.look() == {AUDIT: SERVING, WORK: SERVING}
    assert observed.metric("medconnect_audit_seal_lag_seconds") == 0


@control("S95")
async def test_a_forged_seal_that_stops_the_chain_shows(
    observed: Observed, work: UnitOfWork, database_url: str
) -> None:
    """Only the owner can forge a seal; earlier, the server's own account could."""
    sealer = a_sealer(work)
    await as_owner(database_url, FILL.format(3))
    await sealer.seal()
    await as_owner(database_url, FILL.format(2), *FORGED)
    with pytest.raises(ChainAhead):
        await sealer.seal()
    assert await observed.look() == {AUDIT: NOT_SERVING, WORK: SERVING}
    assert (observed.metric("medconnect_audit_seal_lag_seconds") or 0) >= 70


@control("S95")
def test_an_instance_reports_its_parts_beside_the_whole(actors: Actors) -> None:
    states = actors.instance.run(_states(actors.instance.grpc))
    assert states == dict.fromkeys(("", *SERVICES, AUDIT, WORK, LIVENESS), SERVING)


async def _states(address: str) -> Mapping[str, int]:

    async with aio.insecure_channel(address) as channel:
        generated: Any = health_pb2
        call = channel.unary_unary(
            "/grpc.health.v1.Health/List",
            request_serializer=generated.HealthListRequest.SerializeToString,
            response_deserializer=generated.HealthListResponse.FromString,
        )
        answer = await call(generated.HealthListRequest())
    return {name: state.status for name, state in answer.statuses.items()}
