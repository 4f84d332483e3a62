"""S66 and S67: the limiter's memory is bounded, and its stores may fail."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import pytest
import structlog
from redis.asyncio import Redis
from sqlalchemy import text

from server.config.settings import read_settings
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import DatabaseUnavailable, Unavailable
from server.metrics import Metrics
from server.rate_limits import postgres_store
from server.rate_limits.bucket import Limit
from server.rate_limits.fallback_store import FallbackStore
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.redis_store import RedisStore
from server.rate_limits.routing_store import RoutingStore
from server.rate_limits.store import MemoryStore
from server.runtime import server as app
from tests.fixtures.actors import Actors
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import committing_work
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import control
from tests.fixtures.valkey import a_valkey, running_valkey
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS

MOST_GROWTH = 64 * 1024 * 1024
LOGIN, ROLE = Limit("login", 5, 900), Limit("role", 50, 60)

FLOOD = """
import asyncio, json, os, sys
from server.clock import Clock
from server.metrics import Metrics
from server.rate_limits.budgets import Budgets
from server.rate_limits.rate_limiter import RateLimiter
from server.rate_limits.store import MemoryStore
from server.config.settings import read_settings

async def main(count):
    budgets, limiter = Budgets({}), RateLimiter(MemoryStore(), Clock(monotonic=lambda: 1000.0), Metrics())
    async def call(address):
        return (await limiter.charge_call(budgets.of(None, "", address))).strictest.allowed
    before = [await call("198.51.100.1") for _ in range(11)]
    empty = resident()
    for number in range(count):
        await call(f"2001:db8:{number >> 16:x}:{number & 0xffff:x}::/64")
    print(json.dumps({"before": before, "grown": resident() - empty, "after": await call("198.51.100.1")}))

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

asyncio.run(main(int(sys.argv[1])))
"""


@control("S66")
def test_address_flood_is_bounded_and_empties_no_bucket(flood: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FLOOD, str(flood)], capture_output=True, text=True, check=True, timeout=300
    )
    told = json.loads(ended.stdout)
    assert told["before"] == [True] * 10 + [False]
    assert told["grown"] < MOST_GROWTH
    assert told["after"] is False


@control("S67")
async def test_sign_in_limits_refuse_while_their_store_is_silent(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_store, "ANSWER_SECONDS", 0.3)
    metrics, memory = Metrics(), MemoryStore()
    async with committing_work(database_url) as work, committing_work(database_url) as other:
        store = RoutingStore(PostgresStore(work), memory, {"login"}, metrics)
        async with other.begin() as tx:
            await tx.connection.execute(text("LOCK TABLE rate_limit_buckets IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(Unavailable):
                await store.take([(LOGIN, "a"), (ROLE, "a")], 0.0)
            [role] = await store.take([(ROLE, "b")], 0.0)
            assert role.allowed
        login, role = await store.take([(LOGIN, "a"), (ROLE, "a")], 0.0)
        assert (login.remaining, role.remaining) == (4, 49)  # the call that failed was charged nowhere
    assert failures(metrics, "postgresql") == 1


@control("S67")
def test_lost_store_refuses_sign_ins_and_allows_others(
    actors: Actors, instance: RunningInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_store, "ANSWER_SECONDS", 0.3)
    request = RPCS["Login"].request(email="nobody@example.org", password="a wrong password")
    doctor = actors.doctor
    with unusable_buckets(instance):
        answer = over_grpc(actors, RPCS["Login"], request, None)
        assert (answer.status, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        rest = actors.http.post("/auth/login", json={"email": "nobody@example.org", "password": "a wrong password"})
        assert rest.status_code == 503
        assert actors.rest("GET", "/doctors/patients", doctor)[0] == 200
    monkeypatch.undo()
    assert over_grpc(actors, RPCS["Login"], request, None).status is grpc.StatusCode.UNAUTHENTICATED


@control("S67")
async def test_refused_sign_ins_do_not_reach_the_database(work: UnitOfWork) -> None:
    store = PostgresStore(work)
    for _ in range(LOGIN.tokens + 1):
        [refused] = await store.take([(LOGIN, "a")], 0.0)
    with silent(work):
        for moment in (0.1, 0.9):
            [again] = await store.take([(LOGIN, "a")], moment)
            assert (again.allowed, again.remaining) == (False, 0)
            assert again.retry_after == pytest.approx(refused.retry_after - moment, abs=0.01)
        with pytest.raises(Unavailable):
            await store.take([(LOGIN, "another")], 0.9)
        with pytest.raises(Unavailable):
            await store.take([(LOGIN, "a")], 1.1)
    await store.refund([(LOGIN, "a")])
    [decision] = await store.take([(LOGIN, "a")], 0.9)
    assert decision.allowed


@control("S67")
async def test_other_limits_go_on_in_memory_while_redis_is_away(tmp_path: Path, clock: SettableClock) -> None:
    metrics, server = Metrics(), a_valkey(tmp_path)
    async with RedisStore.connected(f"unix://{server.unix_socket_path}") as redis:
        store = FallbackStore(redis, MemoryStore(), clock.clock, metrics)

        async def left() -> int:
            [decision] = await store.take([(ROLE, "a")], clock.seconds)
            return decision.remaining

        assert await left() == 49  # before it first started
        assert failures(metrics, "redis") == 1
        server.start()
        assert await left() == 48  # it is not tried for a second
        clock.forward(seconds=1)
        assert await left() == 49
        server.terminate()
        assert [await left() for _ in range(48)] == list(reversed(range(48)))  # its memory resumes its last state
        assert failures(metrics, "redis") == 2
        with structlog.testing.capture_logs() as logged:
            clock.forward(seconds=1)
            await left()
        assert [line["event"] for line in logged] == ["rate_limit_store_unavailable"]


@control("S67")
async def test_with_redis_every_process_counts_the_same_calls(database_url: str, tmp_path: Path) -> None:
    with running_valkey() as url:
        settings = read_settings(
            _env_file=None, medconnect_home=tmp_path, database_url=database_url, rate_limit_redis_url=url
        )
        async with app.core(settings, database_url) as first, app.core(settings, database_url) as second:
            charges = [await core.limiter.charge_call([(ROLE, "a")]) for core in (first, first, second)]
    assert [charge.strictest.remaining for charge in charges] == [49, 48, 47]


@control("S67")
async def test_redis_turned_replica_is_left_for_the_new_primary(tmp_path: Path, clock: SettableClock) -> None:
    former, successor = a_valkey(tmp_path / "former"), a_valkey(tmp_path / "successor")
    with former, successor:
        name = Path(str(former.unix_socket_path))
        async with RedisStore.connected(f"unix://{name}") as redis:
            store = FallbackStore(redis, MemoryStore(), clock.clock, Metrics())
            await store.take([(ROLE, "a")], clock.seconds)
            async with Redis(unix_socket_path=str(name)) as operator:
                await operator.replicaof("127.0.0.1", "1")
            Path(str(successor.unix_socket_path)).rename(name)
            left = []
            for _ in range(3):
                [decision] = await store.take([(ROLE, "a")], clock.seconds)
                left.append(decision.remaining)
                clock.forward(seconds=1)
    assert left == [49, 49, 48]  # its own memory once, then the successor's


@control("S67")
async def test_bucket_charged_by_a_fast_redis_clock_is_full() -> None:
    with running_valkey() as url:
        async with RedisStore.connected(url) as store, Redis.from_url(url) as operator:
            await operator.set("medconnect:limit:login:a", f"{time.time() + 86_400:.6f}", px=86_400_000)
            left = [(await store.take([(LOGIN, "a")], 0.0))[0].remaining for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, 0]


@contextmanager
def silent(work: UnitOfWork) -> Iterator[None]:
    """Yields a database that never answers."""

    @asynccontextmanager
    async def read() -> AsyncIterator[Transaction]:
        raise DatabaseUnavailable
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "read", read)
        yield


@contextmanager
def unusable_buckets(instance: RunningInstance) -> Iterator[None]:
    """Locks the table of buckets in another session."""
    stack = AsyncExitStack()

    async def lock() -> None:
        tx = await stack.enter_async_context(instance.core.work.begin())
        await tx.connection.execute(text("LOCK TABLE rate_limit_buckets IN ACCESS EXCLUSIVE MODE"))

    instance.run(lock())
    try:
        yield
    finally:
        instance.run(stack.aclose())


def failures(metrics: Metrics, store: str) -> float:
    return metrics.registry.get_sample_value("medconnect_rate_limit_store_failures_total", {"store": store}) or 0
