"""Every store of rate-limit buckets, and how time passes for each."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import text

from server.db.unit_of_work import UnitOfWork
from server.rate_limits.bucket import Decision, Limit
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.redis_store import RedisStore
from server.rate_limits.store import BucketStore, MemoryStore

LOGIN = Limit("login", 5, 900)
ROLE = Limit("role", 50, 60)


@dataclass
class Shelf:
    """A store under test; `now` returns its process's clock."""

    store: BucketStore
    age: Callable[[float], Awaitable[None]] | None = None
    """Lets this many seconds pass on a server that uses its own clock."""
    now: float = 1_000.0

    async def take(self, *requests: tuple[Limit, str]) -> Sequence[Decision]:
        return await self.store.take(requests, self.now)

    async def allowed(self, key: str, limit: Limit = LOGIN) -> bool:
        [decision] = await self.take((limit, key))
        return decision.allowed

    async def drain(self, key: str, limit: Limit = LOGIN) -> None:
        for _ in range(limit.tokens):
            assert await self.allowed(key, limit)

    async def forward(self, seconds: float) -> None:
        self.now += seconds
        if self.age is not None:
            await self.age(seconds)


def in_postgres(work: UnitOfWork) -> Shelf:
    """Yields the store in the database."""

    async def age(seconds: float) -> None:
        async with work.begin() as tx:
            statement = "UPDATE rate_limit_buckets SET full_at = full_at - make_interval(secs => :seconds)"
            await tx.connection.execute(text(statement), {"seconds": seconds})

    return Shelf(PostgresStore(work), age)


@asynccontextmanager
async def in_redis(url: str) -> AsyncIterator[Shelf]:
    """Yields the store in an emptied Valkey."""
    client: Redis = Redis.from_url(url, decode_responses=True)
    await client.flushall()

    async def age(seconds: float) -> None:
        for key in await client.keys("*"):
            full_at = float(await client.get(key) or 0) - seconds
            left = await client.pttl(key) - int(1000 * seconds)
            if left <= 0:
                await client.delete(key)
            else:
                await client.set(key, f"{full_at:.6f}", px=left)

    async with RedisStore.connected(url) as store:
        yield Shelf(store, age)
    await client.aclose()


def in_memory() -> Shelf:
    """Returns the store of one process."""
    return Shelf(MemoryStore())
