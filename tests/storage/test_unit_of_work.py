"""Tests one transaction per use case: when changes commit, and who sees them."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context

import asyncpg
import pytest
from sqlalchemy import text

from server.db.engine import create_pool
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import VersionConflict
from server.runtime.work import unit_of_work
from tests.fixtures.database import as_owner
from tests.fixtures.pace import within

POOL = 2


@pytest.fixture
async def work(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    """Yields a unit of work that commits, with very few connections."""
    await as_owner(shared_database_url, "DROP TABLE IF EXISTS notes", "CREATE TABLE notes (note text)")
    pool = create_pool(shared_database_url, pool_size=POOL, role=None)
    yield unit_of_work(pool)
    await pool.close()


async def write(tx: Transaction, note: str) -> None:
    await tx.connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})


async def notes(tx: Transaction) -> list[str]:
    return list(await tx.connection.scalars(text("SELECT note FROM notes ORDER BY note")))


async def written(work: UnitOfWork) -> list[str]:
    async with work.read() as tx:
        return await notes(tx)


async def transaction_id(tx: Transaction) -> int:
    return int(await tx.connection.scalar(text("SELECT pg_current_xact_id()::text")))


async def test_leaving_the_block_commits(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await write(tx, "a")
        assert await written(work) == []
    assert await written(work) == ["a"]


@pytest.mark.parametrize("error", [VersionConflict(version=1), ValueError("x"), asyncio.CancelledError()])
async def test_raising_rolls_back_and_the_error_goes_on_as_it_is(work: UnitOfWork, error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        async with work.begin() as tx:
            await write(tx, "a")
            raise error
    assert raised.value is error
    assert await written(work) == []


async def test_task_cancelled_during_statement_returns_its_connection(work: UnitOfWork) -> None:
    async def slow() -> None:
        async with work.begin() as tx:
            await write(tx, "a")
            await tx.connection.execute(text("SELECT pg_sleep(5)"))

    for _ in range(2 * POOL):
        task = asyncio.create_task(slow())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await written(work) == []


async def test_reading_opens_no_transaction(work: UnitOfWork) -> None:
    async with work.read() as tx:
        assert await transaction_id(tx) != await transaction_id(tx)
    async with work.begin() as tx:
        assert await transaction_id(tx) == await transaction_id(tx)


@pytest.mark.parametrize("block", ["begin", "read"])
async def test_every_block_inside_a_shared_one_is_part_of_it(work: UnitOfWork, block: str) -> None:
    async with work.shared() as outer:
        await write(outer, "a")
        async with getattr(work, block)() as inner:
            assert await notes(inner) == ["a"]
            assert await transaction_id(inner) == await transaction_id(outer)


async def test_surrounding_work_commits_with_the_use_case(work: UnitOfWork) -> None:
    async with work.shared() as outer:
        async with work.begin() as inner:
            await write(inner, "use case")
        another_call = asyncio.create_task(written(work), context=Context())
        assert await another_call == []
        await write(outer, "around")
    assert await written(work) == ["around", "use case"]


async def test_raising_around_a_use_case_takes_it_along(work: UnitOfWork) -> None:
    with pytest.raises(VersionConflict):
        async with work.shared():
            async with work.begin() as inner:
                await write(inner, "use case")
            raise VersionConflict(version=1)
    assert await written(work) == []


async def test_a_block_after_a_shared_one_is_its_own_again(work: UnitOfWork) -> None:
    with pytest.raises(VersionConflict):
        async with work.shared():
            raise VersionConflict(version=1)
    async with work.begin() as tx:
        await write(tx, "a")
    assert await written(work) == ["a"]


async def test_shared_blocks_of_other_calls_are_not_joined(work: UnitOfWork) -> None:
    async def call(note: str) -> int:
        async with work.shared(), work.begin() as tx:
            await write(tx, note)
            await asyncio.sleep(0.05)
            return await transaction_id(tx)

    first, second = await asyncio.gather(call("a"), call("b"))
    assert first != second


async def test_shared_calls_up_to_connection_count_run_concurrently(work: UnitOfWork) -> None:
    ready = asyncio.Barrier(POOL + POOL // 2)

    async def call() -> None:
        async with work.shared():
            await ready.wait()
            async with work.begin() as tx, work.read():
                await write(tx, "a")

    async with asyncio.timeout(within(0.9)):
        await asyncio.gather(*(call() for _ in range(ready.parties)))


async def test_a_fault_of_ours_goes_on_as_it_is(work: UnitOfWork) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        async with work.begin() as tx:
            await write(tx, "a")
            await tx.connection.execute(text("SELECT nothing"))
    assert await written(work) == []
