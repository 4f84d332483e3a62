"""Tests the pool of connections: who gets one, which are dropped, and what a cancelled call leaves behind."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from server.db import pool as module
from server.db.connection import TransactionLost
from server.db.engine import create_pool
from server.db.pool import Pool
from server.db.unit_of_work import UnitOfWork
from server.errors import ServerBusy
from tests.fixtures.database import as_owner
from tests.fixtures.pace import within

SIZE = 3
"""Two, and half as many more under load."""
SLEEP = text("SELECT pg_sleep(:seconds)")
BACKEND = text("SELECT pg_backend_pid()")
OURS = "FROM pg_stat_activity WHERE application_name = 'pool under test'"


@pytest.fixture
async def pool(shared_database_url: str) -> AsyncIterator[Pool]:
    pool = create_pool(shared_database_url, pool_size=2, application="pool under test")
    yield pool
    await pool.close()


@pytest.fixture
async def observed(shared_database_url: str) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    """Yields a function that counts the pool's sessions that fulfil a condition."""
    connection = await asyncpg.connect(shared_database_url)

    async def count(condition: str) -> int:
        return int(await connection.fetchval(f"SELECT count(*) {OURS} AND {condition}"))

    yield count
    await connection.close()


async def test_connection_used_last_is_used_first(pool: Pool) -> None:
    one, other = await pool.acquire(), await pool.acquire()
    pool.release(one)
    pool.release(other)
    assert await pool.acquire() is other
    pool.release(other)


async def test_waiting_callers_get_connections_in_their_order(pool: Pool) -> None:
    held = [await pool.acquire() for _ in range(SIZE)]
    served: list[int] = []

    async def wait(number: int) -> None:
        async with pool.connection():
            served.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    newcomer = asyncio.create_task(wait(5))
    pool.release(held.pop())
    await asyncio.gather(*waiting, newcomer)
    assert served == list(range(6))
    for connection in held:
        pool.release(connection)
    assert pool.used == 0


async def test_caller_without_a_connection_in_time_is_refused(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    held = [await pool.acquire() for _ in range(SIZE)]
    with pytest.raises(ServerBusy):
        await pool.acquire()
    for connection in held:
        pool.release(connection)
    assert pool.used == 0


async def test_connection_given_to_a_cancelled_caller_is_passed_on(pool: Pool) -> None:
    held = [await pool.acquire() for _ in range(SIZE)]
    cancelled, next_one = asyncio.create_task(pool.acquire()), asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    pool.release(held[0])
    cancelled.cancel()
    assert await next_one is held[0]
    for connection in held:
        pool.release(connection)
    assert pool.used == 0


async def test_failed_connect_frees_its_place_for_a_waiting_caller(pool: Pool) -> None:
    connect, failing = pool._connect, asyncio.Event()

    async def fail() -> Any:
        await failing.wait()
        raise ConnectionRefusedError

    pool._connect = fail
    refused = [asyncio.create_task(pool.acquire()) for _ in range(SIZE)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    pool._connect = connect
    failing.set()
    outcomes = await asyncio.gather(*refused, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionRefusedError] * SIZE
    pool.release(await waiting)
    assert pool.used == 0


@pytest.mark.parametrize("state", ["broken", "closed", "old", "in a transaction"])
async def test_connection_that_must_not_be_used_again_is_replaced(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    connection = await pool.acquire()
    backend = await connection.scalar(BACKEND)
    if state == "broken":
        connection.is_broken = True
    elif state == "closed":
        connection.driver.terminate()
    elif state == "old":
        monkeypatch.setattr(pool, "_keep_seconds", 0)
    else:
        await connection.execute(text("BEGIN"))
    pool.release(connection)
    monkeypatch.undo()
    async with pool.connection() as other:
        assert other is not connection
        assert await other.scalar(BACKEND) != backend


async def test_statement_of_a_cancelled_call_ends_in_the_database(
    pool: Pool, observed: Callable[[str], Awaitable[int]]
) -> None:
    async def call() -> None:
        async with pool.connection() as connection, connection.transaction():
            await connection.execute(SLEEP, {"seconds": 4.0})

    task = asyncio.create_task(call())
    while not await observed("query LIKE '%pg_sleep%' AND state = 'active'"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(within(2)):
        while await observed("query LIKE '%pg_sleep%' AND state = 'active'"):
            await asyncio.sleep(0.01)


async def test_calls_cancelled_at_random_leave_nothing_behind(
    pool: Pool, observed: Callable[[str], Awaitable[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R22: no connection stays checked out, no session in a transaction, and no more sessions than the pool's size."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 30)
    work, chance = UnitOfWork(pool), random.Random(22)

    async def call(transaction: bool) -> None:
        async with work.begin() if transaction else work.read() as tx:
            await tx.connection.execute(SLEEP, {"seconds": chance.random() / 100})
            await tx.connection.execute(SLEEP, {"seconds": 0.0})

    async def cancelled(transaction: bool) -> None:
        task = asyncio.create_task(call(transaction))
        await asyncio.sleep(chance.random() / 8)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(10):
        await asyncio.gather(*(cancelled(chance.random() < 0.5) for _ in range(40)))
        assert await observed("true") <= SIZE
    await asyncio.gather(*(call(True) for _ in range(10)))
    assert pool.used == 0
    assert await observed("state LIKE 'idle in transaction%'") == 0


async def test_transaction_that_was_rolled_back_is_not_acknowledged(pool: Pool) -> None:
    async with pool.connection() as connection:
        with pytest.raises(TransactionLost):
            async with connection.transaction():
                with pytest.raises(asyncpg.DivisionByZeroError):
                    await connection.scalar(text("SELECT 1 / 0"))
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_savepoint_that_fails_leaves_the_transaction_usable(pool: Pool, shared_database_url: str) -> None:
    await as_owner(
        shared_database_url,
        "DROP TABLE IF EXISTS marks",
        "CREATE TABLE marks (mark int UNIQUE)",
        "GRANT ALL ON marks TO medconnect_app",
    )
    mark = partial(text("INSERT INTO marks VALUES (:mark)").bindparams, mark=1)
    async with pool.connection() as connection, connection.transaction():
        async with connection.savepoint():
            await connection.execute(mark())
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.savepoint():
                await connection.execute(mark())
        assert await connection.execute(text("UPDATE marks SET mark = 2")) == 1
    async with pool.connection() as connection:
        assert await connection.scalars(text("SELECT mark FROM marks")) == [2]
