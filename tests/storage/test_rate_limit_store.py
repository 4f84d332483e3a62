"""What every store of rate-limit buckets must do, and the bounds of the one in memory."""

from collections.abc import Callable

import pytest

from server.rate_limits.bucket import Limit
from server.rate_limits.store import BucketStore, MemoryStore

LOGIN = Limit("login", 5, 900)
ROLE = Limit("role", 50, 60)
NOW = 1_000.0

STORES: list[Callable[[], BucketStore]] = [MemoryStore]


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def store(request: pytest.FixtureRequest) -> BucketStore:
    made: BucketStore = request.param()
    return made


async def allowed(store: BucketStore, key: str, limit: Limit = LOGIN, now: float = NOW) -> bool:
    [decision] = await store.take([(limit, key)], now)
    return decision.allowed


async def drain(store: BucketStore, key: str, limit: Limit = LOGIN, now: float = NOW) -> None:
    for _ in range(limit.tokens):
        assert await allowed(store, key, limit, now)


async def test_as_many_calls_as_the_limit_pass_and_the_next_is_told_when(store: BucketStore) -> None:
    await drain(store, "a")
    [refusal] = await store.take([(LOGIN, "a")], NOW)
    assert (refusal.allowed, refusal.remaining) == (False, 0)
    assert refusal.retry_after == pytest.approx(180, abs=1)
    assert await allowed(store, "a", now=NOW + refusal.retry_after)
    assert not await allowed(store, "a", now=NOW + refusal.retry_after)


async def test_keys_and_limits_are_independent(store: BucketStore) -> None:
    await drain(store, "a")
    assert not await allowed(store, "a")
    assert await allowed(store, "b")
    assert await allowed(store, "a", ROLE)


async def test_the_answers_stand_in_the_order_of_the_requests(store: BucketStore) -> None:
    answers = await store.take([(ROLE, "a"), (LOGIN, "a"), (ROLE, "b")], NOW)
    assert [(answer.limit.name, answer.remaining) for answer in answers] == [
        ("role", 49),
        ("login", 4),
        ("role", 49),
    ]


async def test_one_refusal_charges_no_bucket(store: BucketStore) -> None:
    await drain(store, "a")
    for _ in range(3):
        role, login = await store.take([(ROLE, "a"), (LOGIN, "a")], NOW)
        assert (role.allowed, role.remaining, login.allowed) == (True, 50, False)
    [role] = await store.take([(ROLE, "a")], NOW)
    assert role.remaining == 49


async def test_a_bucket_named_twice_is_charged_once(store: BucketStore) -> None:
    await store.take([(LOGIN, "a"), (LOGIN, "a")], NOW)
    [decision] = await store.take([(LOGIN, "a")], NOW)
    assert decision.remaining == 3


async def test_a_refund_gives_the_token_back(store: BucketStore) -> None:
    await drain(store, "a")
    await store.refund([(LOGIN, "a")])
    assert await allowed(store, "a")
    assert not await allowed(store, "a")


async def test_a_refund_never_fills_a_bucket_beyond_its_size(store: BucketStore) -> None:
    await store.take([(LOGIN, "a")], NOW)
    for _ in range(3):
        await store.refund([(LOGIN, "a"), (LOGIN, "never seen")])
    [decision] = await store.take([(LOGIN, "a")], NOW)
    assert decision.remaining == 4


async def test_no_requests_no_answers(store: BucketStore) -> None:
    assert await store.take([], NOW) == []


async def test_memory_drops_full_buckets_as_calls_go_on() -> None:
    store = MemoryStore()
    for number in range(1_000):
        await store.take([(LOGIN, str(number))], NOW)
    assert len(store) == 1_000
    for _ in range(501):
        await store.take([(ROLE, "other")], NOW + 901)
    assert len(store) == 1


async def test_memory_remembers_no_bucket_that_was_not_charged() -> None:
    store = MemoryStore()
    await drain(store, "a")
    await store.take([(ROLE, "a"), (LOGIN, "a")], NOW)
    assert len(store) == 1


async def test_memory_keeps_what_is_not_full() -> None:
    store = MemoryStore()
    await drain(store, "a")
    for number in range(1_000):
        await store.take([(ROLE, str(number))], NOW + number / 100)
    assert not await allowed(store, "a", now=NOW + 10)


async def test_memory_never_holds_more_than_its_cap_and_forgets_no_limited_key() -> None:
    store = MemoryStore(max_buckets=100)
    await drain(store, "limited")
    for number in range(10_000):
        await store.take([(LOGIN, f"flood {number}"), (ROLE, f"flood {number}")], NOW)
        assert len(store) <= 100
    assert not await allowed(store, "limited")


async def test_memory_beyond_the_cap_limits_all_new_keys_together() -> None:
    store = MemoryStore(max_buckets=10)
    for number in range(10):
        assert await allowed(store, f"first {number}")
    passed = [await allowed(store, f"late {number}") for number in range(50)]
    assert passed == [True] * LOGIN.tokens + [False] * (50 - LOGIN.tokens)
    assert await allowed(store, "first 0")
    assert await allowed(store, "late 0", ROLE)


async def test_memory_gives_no_fresh_bucket_to_a_key_limited_beyond_the_cap() -> None:
    store = MemoryStore(max_buckets=1)
    await store.take([(ROLE, "holds the room")], NOW)
    await drain(store, "late")
    soon = NOW + ROLE.interval + 0.1  # the one bucket is full again and makes room
    assert not await allowed(store, "late", now=soon)
    assert await allowed(store, "late", now=NOW + LOGIN.interval)
    assert len(store) == 1


async def test_memory_works_normally_again_after_a_flood() -> None:
    store = MemoryStore(max_buckets=10)
    for number in range(100):
        await store.take([(LOGIN, f"flood {number}")], NOW)
    await drain(store, "a", now=NOW + 2_000)
    await drain(store, "b", now=NOW + 2_000)
    assert not await allowed(store, "a", now=NOW + 2_000)
