"""Tests the bounds of the store in memory, and its behaviour at them."""

from server.rate_limits.bucket import Limit
from server.rate_limits.store import BucketStore, MemoryStore
from tests.storage.buckets import LOGIN, ROLE

NOW = 1_000.0


async def allowed(store: BucketStore, key: str, limit: Limit = LOGIN, now: float = NOW) -> bool:
    [decision] = await store.take([(limit, key)], now)
    return decision.allowed


async def drain(store: BucketStore, key: str, limit: Limit = LOGIN, now: float = NOW) -> None:
    for _ in range(limit.tokens):
        assert await allowed(store, key, limit, now)


async def test_it_drops_full_buckets_as_calls_go_on() -> None:
    store = MemoryStore()
    for number in range(1_000):
        await store.take([(LOGIN, str(number))], NOW)
    assert len(store) == 1_000
    for _ in range(501):
        await store.take([(ROLE, "other")], NOW + 901)
    assert len(store) == 1


async def test_it_remembers_no_bucket_that_was_not_charged() -> None:
    store = MemoryStore()
    await drain(store, "a")
    await store.take([(ROLE, "a"), (LOGIN, "a")], NOW)
    assert len(store) == 1


async def test_store_keeps_buckets_that_are_not_full() -> None:
    store = MemoryStore()
    await drain(store, "a")
    for number in range(1_000):
        await store.take([(ROLE, str(number))], NOW + number / 100)
    assert not await allowed(store, "a", now=NOW + 10)


async def test_store_stays_below_cap_and_keeps_every_limited_key() -> None:
    store = MemoryStore(max_buckets=100)
    await drain(store, "limited")
    for number in range(10_000):
        await store.take([(LOGIN, f"flood {number}"), (ROLE, f"flood {number}")], NOW)
        assert len(store) <= 100
    assert not await allowed(store, "limited")


async def test_it_beyond_the_cap_limits_all_new_keys_together() -> None:
    store = MemoryStore(max_buckets=10)
    for number in range(10):
        assert await allowed(store, f"first {number}")
    passed = [await allowed(store, f"late {number}") for number in range(50)]
    assert passed == [True] * LOGIN.tokens + [False] * (50 - LOGIN.tokens)
    assert await allowed(store, "first 0")
    assert await allowed(store, "late 0", ROLE)


async def test_key_limited_beyond_the_cap_gets_no_new_bucket() -> None:
    store = MemoryStore(max_buckets=1)
    await store.take([(ROLE, "holds the room")], NOW)
    await drain(store, "late")
    soon = NOW + ROLE.interval + 0.1  # The one bucket is full again and is evicted.
    assert not await allowed(store, "late", now=soon)
    assert await allowed(store, "late", now=NOW + LOGIN.interval)
    assert len(store) == 1


async def test_it_works_normally_again_after_a_flood() -> None:
    store = MemoryStore(max_buckets=10)
    for number in range(100):
        await store.take([(LOGIN, f"flood {number}")], NOW)
    await drain(store, "a", now=NOW + 2_000)
    await drain(store, "b", now=NOW + 2_000)
    assert not await allowed(store, "a", now=NOW + 2_000)
