"""Tests concurrent calls on one bucket in PostgreSQL in the hardest order: all of them wait for the same row."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from sqlalchemy import text

from server.db.unit_of_work import UnitOfWork
from server.rate_limits.bucket import Limit
from tests.fixtures.database import committing_work
from tests.storage.buckets import LOGIN, Shelf, in_postgres

AT_ONCE = 5
WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def work(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(shared_database_url, pool_size=AT_ONCE + 2) as unit_of_work:
        async with unit_of_work.begin() as tx:
            await tx.connection.execute(text("DELETE FROM rate_limit_buckets"))
        await asyncio.gather(*(connect(unit_of_work) for _ in range(AT_ONCE + 2)))
        yield unit_of_work


async def connect(work: UnitOfWork) -> None:
    """Keeps one more connection open: under load, opening one takes longer than the lock timeout."""
    async with work.read() as tx:
        await tx.connection.execute(text("SELECT pg_sleep(0.2)"))


@pytest.fixture
def shelf(work: UnitOfWork) -> Shelf:
    return in_postgres(work)


async def held_up(work: UnitOfWork, statement: str, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """Starts the calls while a transaction with this statement is open, and returns their results."""
    async with work.begin() as tx:
        await tx.connection.execute(text(statement))
        tasks = [asyncio.create_task(call) for call in calls]
        async with work.read() as watch, asyncio.timeout(5):
            while await watch.connection.scalar(text(WAITING)) != len(calls):
                await asyncio.sleep(0.01)
    return await asyncio.gather(*tasks)


async def test_call_that_waited_for_a_bucket_uses_its_new_state(work: UnitOfWork, shelf: Shelf) -> None:
    narrow, wide = Limit("narrow", 3, 900), Limit("wide", 50, 900)
    await shelf.take((narrow, "a"), (wide, "a"))
    calls = [shelf.take((wide, "a"), (narrow, "a")) for _ in range(AT_ONCE)]
    answers = await held_up(work, "SELECT * FROM rate_limit_buckets FOR UPDATE", *calls)
    assert [all(decision.allowed for decision in answer) for answer in answers].count(True) == 2
    [decision] = await shelf.take((wide, "a"))
    assert decision.remaining == 50 - 4  # Calls that the narrow limit rejected did not charge it.


async def test_a_bucket_that_others_fill_as_it_is_made_is_judged_again(work: UnitOfWork, shelf: Shelf) -> None:
    fill = "INSERT INTO rate_limit_buckets VALUES ('login', 'a', now() + interval '800 seconds')"
    answers = await held_up(work, fill, *(shelf.take((LOGIN, "a")) for _ in range(AT_ONCE)))
    assert [answer[0].allowed for answer in answers] == [False] * AT_ONCE
    assert [answer[0].retry_after for answer in answers] == pytest.approx([80] * AT_ONCE, abs=5)
