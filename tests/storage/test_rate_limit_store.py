"""Tests the requirements on every store of rate-limit buckets: in memory, in PostgreSQL, in Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from server.db.unit_of_work import UnitOfWork
from server.rate_limits.bucket import Limit
from tests.fixtures.database import committing_work
from tests.fixtures.valkey import running_valkey
from tests.storage.buckets import LOGIN, ROLE, Shelf, in_memory, in_postgres, in_redis


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture(params=["memory", "postgresql", "redis"])
async def shelf(request: pytest.FixtureRequest, shared_database_url: str, valkey_url: str) -> AsyncIterator[Shelf]:
    if request.param == "memory":
        yield in_memory()
    elif request.param == "postgresql":
        async with committing_work(shared_database_url, pool_size=10) as work:
            await emptied(work)
            yield in_postgres(work)
    else:
        async with in_redis(valkey_url) as store:
            yield store


async def emptied(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await tx.connection.execute(text("DELETE FROM rate_limit_buckets"))


async def test_calls_up_to_limit_pass_and_next_one_gets_retry_time(shelf: Shelf) -> None:
    await shelf.drain("a")
    [refusal] = await shelf.take((LOGIN, "a"))
    assert (refusal.allowed, refusal.remaining) == (False, 0)
    assert refusal.retry_after == pytest.approx(180, abs=1)
    await shelf.forward(refusal.retry_after)
    assert await shelf.allowed("a")
    assert not await shelf.allowed("a")


async def test_token_returns_no_earlier_than_the_retry_time(shelf: Shelf) -> None:
    await shelf.drain("a")
    [refusal] = await shelf.take((LOGIN, "a"))
    await shelf.forward(refusal.retry_after - 2)
    assert not await shelf.allowed("a")


async def test_every_decision_has_the_remaining_tokens(shelf: Shelf) -> None:
    left = [(await shelf.take((LOGIN, "a")))[0].remaining for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, 0]
    [refusal] = await shelf.take((LOGIN, "a"))
    assert refusal.reset_after == pytest.approx(900, abs=1)


async def test_keys_and_limits_are_independent(shelf: Shelf) -> None:
    await shelf.drain("a")
    assert not await shelf.allowed("a")
    assert await shelf.allowed("b")
    assert await shelf.allowed("a", ROLE)


async def test_decisions_are_in_the_order_of_the_requests(shelf: Shelf) -> None:
    answers = await shelf.take((ROLE, "a"), (LOGIN, "a"), (ROLE, "b"))
    assert [(answer.limit.name, answer.remaining) for answer in answers] == [
        ("role", 49),
        ("login", 4),
        ("role", 49),
    ]


async def test_one_refusal_charges_no_bucket(shelf: Shelf) -> None:
    await shelf.drain("a")
    for _ in range(3):
        role, login = await shelf.take((ROLE, "a"), (LOGIN, "a"))
        assert (role.allowed, role.remaining, login.allowed) == (True, 50, False)
    [role] = await shelf.take((ROLE, "a"))
    assert role.remaining == 49


async def test_a_bucket_named_twice_is_charged_once(shelf: Shelf) -> None:
    await shelf.take((LOGIN, "a"), (LOGIN, "a"))
    [decision] = await shelf.take((LOGIN, "a"))
    assert decision.remaining == 3


async def test_a_refund_gives_the_token_back(shelf: Shelf) -> None:
    await shelf.drain("a")
    await shelf.store.refund([(LOGIN, "a")])
    assert await shelf.allowed("a")
    assert not await shelf.allowed("a")


async def test_a_refund_never_fills_a_bucket_beyond_its_size(shelf: Shelf) -> None:
    await shelf.take((LOGIN, "a"))
    for _ in range(3):
        await shelf.store.refund([(LOGIN, "a"), (LOGIN, "never seen")])
    [decision] = await shelf.take((LOGIN, "a"))
    assert decision.remaining == 4


async def test_no_requests_return_no_decisions(shelf: Shelf) -> None:
    assert list(await shelf.take()) == []


async def test_of_many_calls_at_once_as_many_pass_as_the_limit(shelf: Shelf) -> None:
    for key in ("first", "again"):
        answers = await asyncio.gather(*(shelf.allowed(key) for _ in range(30)))
        assert answers.count(True) == LOGIN.tokens


async def test_concurrent_calls_of_two_tokens_are_charged_atomically(shelf: Shelf) -> None:
    narrow, wide = Limit("narrow", 3, 900), Limit("wide", 50, 900)
    await shelf.take((narrow, "a"), (wide, "a"))
    answers = await asyncio.gather(*(shelf.take((wide, "a"), (narrow, "a")) for _ in range(20)))
    assert [all(decision.allowed for decision in answer) for answer in answers].count(True) == 2
    [decision] = await shelf.take((wide, "a"))
    assert decision.remaining == 50 - 4


async def test_the_fullest_buckets_are_found(shelf: Shelf) -> None:
    await shelf.drain("drained")
    await shelf.take((LOGIN, "once"), (ROLE, "once"))
    for _ in range(2):
        await shelf.take((LOGIN, "2001:db8:1:2::/64"))
    limits = {limit.name: limit for limit in (LOGIN, ROLE)}
    found = await shelf.store.fullest(limits, 3, shelf.now)
    assert [(bucket.limit, bucket.key) for bucket in found] == [
        (LOGIN, "drained"),
        (LOGIN, "2001:db8:1:2::/64"),
        (LOGIN, "once"),
    ]
    assert [bucket.used for bucket in found] == pytest.approx([1, 0.4, 0.2], abs=0.01)
    assert [bucket.limit for bucket in await shelf.store.fullest({"role": ROLE}, 3, shelf.now)] == [ROLE]
    await shelf.forward(901)
    assert not await shelf.store.fullest(limits, 3, shelf.now)
